"""The servers' ports on the loopback address: those of the last start, the usual ones, or any that is free."""

import errno
import socket
from pathlib import Path

from worker.errors import ServerUnavailableError

HOST = "127.0.0.1"


def choose_port(kept: Path, wanted: int | None, usual: int) -> int:
    """Return the wanted port, otherwise the one in the file `kept`, the usual one if it is free, or any free one."""
    if wanted:
        return wanted
    try:
        return int(kept.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return usual if _problem(usual) is None else free_port()


def keep_port(kept: Path, port: int) -> None:
    """Choose this port at the next start too."""
    kept.touch(mode=0o600)
    kept.write_text(f"{port}\n", encoding="ascii")


def require_free(server: str, port: int, option: str) -> None:
    """Raise ServerUnavailableError if the server cannot listen on the port; `option` of `up` chooses another."""
    if (problem := _problem(port)) is None:
        return
    reason = (problem.strerror or str(problem)).partition(" (")[0]  # Python adds the address again
    stop = "Stop what listens there, or choose" if problem.errno == errno.EADDRINUSE else "Choose"
    raise ServerUnavailableError(f"{server} cannot listen on port {port}: {reason}. {stop} another port with {option}.")


def free_port() -> int:
    """Return a port that was free just now. Another process may take it first."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _problem(port: int) -> OSError | None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        return error
    return None
