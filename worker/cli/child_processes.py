"""Start, watch and reliably end the processes of `up` and `demo`: a Celery worker, beat and the API."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from worker.embedded.interruption import uninterrupted
from worker.errors import ProgressError, ServerUnavailableError
from worker.formatting import how_ended

if TYPE_CHECKING:
    from worker.cli.local_system import System

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05

SHORTENED = ("slice_seconds", "summary_seconds", "statistics_seconds", "activity_seconds")
"""Settings that `demo` sets to a second."""
_PASSED_ON = ("database_url", "redis_url", "runtime_directory", *SHORTENED)
_PATHS = ("connections", "api_tokens_directory")


class ChildEndedError(ProgressError):
    """A child process ended unexpectedly."""


class Children:
    """The processes, each in its own session, so that Ctrl-C reaches only us and we end them in order."""

    def __init__(self, system: "System", processes: int, *, quiet: bool, api_port: int | None = None) -> None:
        """Start a worker with `processes` pool processes, beat and, if it has a port, the API; all in its directory.

        `quiet` sends their output to files there.
        """
        from worker.settings import variable_name

        settings = system.settings
        self._system = system
        self._directory = system.directory
        self._quiet = quiet
        self._runtime_directory = settings.runtime_directory
        self._environment = {
            **os.environ,
            **{variable_name(name): str(getattr(settings, name)) for name in _PASSED_ON},
            # They run in another directory.
            **{variable_name(name): str(path.absolute()) for name in _PATHS if (path := getattr(settings, name))},
        }
        self._api_port = api_port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._celery("worker", "--concurrency", str(processes), "--without-gossip", "--without-mingle")
            self._celery("beat")
            if api_port is not None:
                self._start("API", "-m", "worker.cli.main", "serve", "--port", str(api_port))
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self) -> None:
        """Return when the worker accepts tasks and the API accepts requests.

        Raises ChildEndedError, or ServerUnavailableError after START_SECONDS.
        """
        sign = self._runtime_directory / f"worker-{self._processes['Celery worker'].pid}"
        waiting = {"Celery worker": sign.exists, "API": self._api_answers}
        deadline = time.monotonic() + START_SECONDS
        while waiting := {name: is_ready for name, is_ready in waiting.items() if not is_ready()}:
            self.check()
            if time.monotonic() > deadline:
                name = next(iter(waiting))
                sentence = f"The {name} was not ready after {START_SECONDS:.0f} s."
                raise ServerUnavailableError(self._with_log(name, sentence))
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise ChildEndedError when one has ended, ServerUnavailableError when an embedded server has."""
        self._system.check()
        for name, process in self._processes.items():
            if (status := process.poll()) is not None:
                raise ChildEndedError(self._with_log(name, f"The {name} ended {how_ended(status)}."))

    def stop(self) -> None:
        """Send SIGTERM to all, wait up to 15 s or until Ctrl-C, then send SIGKILL to the rest."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            for process in running:
                process.wait(max(0.1, deadline - time.monotonic()))
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):  # including pool processes that outlived their parent
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _celery(self, program: str, *arguments: str) -> None:
        # As root, for example in a container, Celery prints a paragraph about it at every start.
        options = ["-W", "ignore:You're running the worker with superuser", "-m", "celery", "--quiet", "-A", "worker"]
        self._start(f"Celery {program}", *options, program, *arguments)

    def _start(self, name: str, *arguments: str) -> None:
        # In our own directory: `python -m` looks for modules in the current one first.
        with uninterrupted(), self._log_file(name).open("wb") if self._quiet else contextlib.nullcontext() as output:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if self._quiet else None,
                start_new_session=True,
            )

    def _api_answers(self) -> bool:
        if self._api_port is None:
            return True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._api_port), timeout=1):
            return True
        return False

    def _log_file(self, name: str) -> Path:
        return self._directory / f"{name.rpartition(' ')[2].lower()}.log"

    def _with_log(self, name: str, sentence: str) -> str:
        if not self._quiet:
            return sentence
        lines = self._log_file(name).read_text(errors="replace").splitlines()[-10:]
        return "\n".join([sentence, f"The end of {self._log_file(name)}:", *lines, "", sentence])


@contextmanager
def running_children(
    system: "System", processes: int, *, quiet: bool, api_port: int | None = None
) -> Iterator[Children]:
    """Run the processes during the block."""
    children = Children(system, processes, quiet=quiet, api_port=api_port)
    try:
        yield children
    finally:
        children.stop()


@contextmanager
def terminations_interrupt() -> Iterator[None]:
    """Make SIGTERM, and SIGHUP unless ignored, raise KeyboardInterrupt like Ctrl-C, for a clean shutdown."""
    watched = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in watched}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
