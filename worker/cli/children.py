"""A real Celery worker and beat as child processes of `up` and `demo`: started, watched, ended for certain."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from worker.embedded.interruption import uninterrupted
from worker.errors import ProgressError, ServerUnavailableError

if TYPE_CHECKING:
    from worker.settings import Settings

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class ChildEndedError(ProgressError):
    """A child process ended although nobody asked it to."""


class Children:
    """The worker and beat, each in a session of its own, so that Ctrl-C reaches us alone and we end them in order."""

    def __init__(self, settings: "Settings", directory: Path, processes: int, *, quiet: bool) -> None:
        """Start both in `directory`, with `processes` pool processes; `quiet` sends what they say to files there."""
        self._directory = directory
        self._quiet = quiet
        self._runtime_directory = settings.runtime_directory
        self._environment = {
            **os.environ,
            "DATABASE_URL": str(settings.database_url),
            "REDIS_URL": str(settings.redis_url),
            "PROGRESS_RUNTIME_DIRECTORY": str(settings.runtime_directory),
            "PROGRESS_SLICE_SECONDS": str(settings.slice_seconds),
            "PROGRESS_SUMMARY_SECONDS": str(settings.summary_seconds),
            "PROGRESS_STATISTICS_SECONDS": str(settings.statistics_seconds),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._start("worker", "--concurrency", str(processes), "--without-gossip", "--without-mingle")
            self._start("beat")
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self) -> None:
        """Return when the worker takes tasks. Raises ChildEndedError, or ServerUnavailableError when it takes long."""
        deadline = time.monotonic() + START_SECONDS
        sign = self._runtime_directory / f"worker-{self._processes['worker'].pid}"
        while not sign.exists():
            self.check()
            if time.monotonic() > deadline:
                raise ServerUnavailableError(
                    f"The worker was not ready after {START_SECONDS:.0f} s.{self._log('worker')}"
                )
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise ChildEndedError when one has ended."""
        for name, process in self._processes.items():
            if (status := process.poll()) is not None:
                how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
                raise ChildEndedError(f"The Celery {name} ended {how}.{self._log(name)}")

    def stop(self) -> None:
        """SIGTERM to both, 15 s of patience at most, then SIGKILL to what is left; Ctrl-C ends the patience."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            for process in running:
                process.wait(max(0.1, deadline - time.monotonic()))
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):  # pool processes that outlived their parent included
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, *arguments: str) -> None:
        # In a directory of ours: `celery -A worker` looks for modules in the current one first.
        # As root, in a container for example, Celery prints a paragraph about that at every start.
        command = [
            sys.executable,
            "-W",
            "ignore:You're running the worker with superuser",
            "-m",
            "celery",
            "--quiet",
            "-A",
            "worker",
            name,
            *arguments,
        ]
        with uninterrupted(), self._log_file(name).open("wb") if self._quiet else contextlib.nullcontext() as output:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if self._quiet else None,
                start_new_session=True,
            )

    def _log_file(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _log(self, name: str) -> str:
        if not self._quiet:
            return ""
        lines = self._log_file(name).read_text(errors="replace").splitlines()[-10:]
        return "\n".join(["", f"The end of {self._log_file(name)}:", *lines])


@contextmanager
def running_children(settings: "Settings", directory: Path, processes: int, *, quiet: bool) -> Iterator[Children]:
    """Worker and beat while the block runs."""
    children = Children(settings, directory, processes, quiet=quiet)
    try:
        yield children
    finally:
        children.stop()


@contextmanager
def terminations_interrupt() -> Iterator[None]:
    """SIGTERM, and SIGHUP unless ignored, raise KeyboardInterrupt as Ctrl-C does, so that everything is wound up."""
    watched = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in watched}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
