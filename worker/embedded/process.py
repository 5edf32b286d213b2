"""A server as a child process: start, wait until ready, stop.

Each server runs in its own session, so that Ctrl-C reaches only us and we stop the servers in order.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from worker.embedded.interruption import uninterrupted
from worker.errors import ServerUnavailableError
from worker.formatting import how_ended

POLL_SECONDS = 0.02


class ServerProcess:
    """A server with a log file. `stop_signals` are sent in turn, each with the seconds to wait before the next."""

    def __init__(self, name: str, log: Path, stop_signals: Sequence[tuple[signal.Signals, float]]) -> None:
        self.name = name
        self.log = log
        self._stop_signals = stop_signals
        self._log_offset = log.stat().st_size if log.exists() else 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, kept after the process ends; None before it starts."""
        return self._process.pid if self._process else None

    def start(self, command: Sequence[str], directory: Path, options: Mapping[str, Any]) -> None:
        """Run `command` in `directory` with Popen's `options`, without waiting. Raises OSError."""
        with self.open_log() as output, uninterrupted():
            self._log_offset = output.seek(0, os.SEEK_END)
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **{"stdin": subprocess.DEVNULL, **options},
            )

    def check(self) -> None:
        """Raise ServerUnavailableError, with the end of the log, if the process has ended."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise self.failure(f"ended {how_ended(status)}")

    def open_log(self) -> BinaryIO:
        """Open the log for appending. Only its owner may read it, because servers log the data they refuse."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(self.log, flags, 0o600)
        os.fchmod(descriptor, 0o600)  # an earlier version made it readable by all
        return os.fdopen(descriptor, "ab")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready` returns True. Raises ServerUnavailableError if the server ends first or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise self.failure("did not start")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready after {seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)

    def failure(self, what: str) -> ServerUnavailableError:
        """Return an error with what happened, the end of the log, and again what happened, which a terminal shows."""
        return ServerUnavailableError(
            f"{self.name} {what}. The end of {self.log}:\n{self.log_end()}\n\n{self.name} {what}."
        )

    def log_end(self, lines: int = 10) -> str:
        """Return the last lines logged since this start."""
        with self.log.open("rb") as file:
            file.seek(self._log_offset)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:]) or "(nothing)"

    def ask_to_stop(self) -> None:
        """Send the first stop signal, without waiting."""
        if self._process is not None:
            self._process.send_signal(self._stop_signals[0][0])

    def wait_stopped(self) -> None:
        """Wait for the process to end, sending the remaining stop signals and finally SIGKILL."""
        if self._process is None:
            return
        following = [*(number for number, _ in self._stop_signals[1:]), signal.SIGKILL]
        for (_, seconds), next_signal in zip(self._stop_signals, following, strict=True):
            try:
                self._process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                self._process.send_signal(next_signal)
        self._process.wait()


def stop_leftover(pid_file: Path, data: Path, stop_signal: signal.Signals, seconds: float) -> None:
    """Stop the server that a killed owner left behind, if its working directory is `data`.

    The caller must hold the directory's lock. Raises ServerUnavailableError if the server does not end in time.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split(maxsplit=1)[0]))
        if Path(process.cwd()) != data:
            return
        process.send_signal(stop_signal)
        deadline = time.monotonic() + seconds
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                raise ServerUnavailableError(
                    f"Process {process.pid}, a server left running by an earlier start, does not stop: kill it."
                )
            time.sleep(POLL_SECONDS)
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return  # not our server: no file, an incomplete one, or the id of another process
