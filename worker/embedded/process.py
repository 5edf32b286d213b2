"""One server as a child process: started out of the terminal's reach, waited for, stopped for certain.

Each server runs in a session of its own, so Ctrl-C reaches us alone and we stop it in order.
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

POLL_SECONDS = 0.02


class ServerProcess:
    """A server that writes to a log file; `stop_signals` are sent in turn, each with its seconds of patience."""

    def __init__(self, name: str, log: Path, stop_signals: Sequence[tuple[signal.Signals, float]]) -> None:
        self.name = name
        self.log = log
        self._stop_signals = stop_signals
        self._log_offset = log.stat().st_size if log.exists() else 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, also after the end; None before the start."""
        return self._process.pid if self._process else None

    def start(self, command: Sequence[str], directory: Path, options: Mapping[str, Any]) -> None:
        """Runs `command` in `directory`; `options` go to Popen. Returns at once. Raises OSError."""
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

    def open_log(self) -> BinaryIO:
        """The log, to be appended to; nobody else may read it, since servers quote the data that they refuse."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(self.log, flags, 0o600)
        os.fchmod(descriptor, 0o600)  # an earlier version let everybody read it
        return os.fdopen(descriptor, "ab")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready` says so. Raises ServerUnavailableError if the server ends first or time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise self.failure("did not start")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready after {seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)

    def failure(self, what: str) -> ServerUnavailableError:
        """The error that says what happened, names the log and quotes its end."""
        return ServerUnavailableError(f"{self.name} {what}. The end of {self.log}:\n{self.log_end()}")

    def log_end(self, lines: int = 10) -> str:
        """The last lines that this start has logged."""
        with self.log.open("rb") as file:
            file.seek(self._log_offset)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:]) or "(nothing)"

    def ask_to_stop(self) -> None:
        """Sends the first stop signal, without waiting."""
        if self._process is not None:
            self._process.send_signal(self._stop_signals[0][0])

    def wait_stopped(self) -> None:
        """Waits for the end; loses patience signal by signal, the last being SIGKILL."""
        if self._process is None:
            return
        following = [*(number for number, _ in self._stop_signals[1:]), signal.SIGKILL]
        for (_, patience), harder in zip(self._stop_signals, following, strict=True):
            try:
                self._process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                self._process.send_signal(harder)
        self._process.wait()


def stop_leftover(pid_file: Path, data: Path, stop_signal: signal.Signals, seconds: float) -> None:
    """Stops the server that a killed owner left behind, if `data` is the directory that it works in.

    Call it only while holding the directory's lock. Raises ServerUnavailableError when it does not end in time.
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
                    f"A server left running by an earlier start, process {process.pid}, does not stop: end it yourself."
                )
            time.sleep(POLL_SECONDS)
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return  # no server of ours: no file, a torn one, or its number now names another process
