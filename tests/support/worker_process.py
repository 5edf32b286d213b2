"""Real Celery processes for tests: `celery -A worker worker` and `beat`, their logs, their pool and their ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.forked import ForkedCelery
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


class CeleryProcess:
    """One `celery -A worker …` in a process group of its own, writing to a log file. Leave it with `close`."""

    def __init__(
        self, environment: Mapping[str, str], log: Path, *arguments: str, python: str = sys.executable, cwd: Path = ROOT
    ) -> None:
        self.log = log
        self._killed = False
        self._process: ForkedCelery | subprocess.Popen[bytes]
        log.touch()
        alike = all(environment.get(name) == os.environ.get(name) for name in ("PYTHONPATH", "LD_PRELOAD"))
        if python == sys.executable and alike:
            self._process = ForkedCelery("-A", "worker", *arguments, cwd=cwd, environment=environment, log=log)
            return
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [python, "-m", "celery", "-A", "worker", *arguments],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The worker's (or beat's) main process."""
        return self._process.pid

    def is_running(self) -> bool:
        """The main process has not ended."""
        return self._process.poll() is None

    def pool_processes(self) -> list[psutil.Process]:
        """The processes that tasks run in."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if is_alive(child.pid)]

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """The JSON lines of the log, all or those of one event."""
        found = []
        for line in self.log.read_bytes().splitlines():
            if line.startswith(b"{"):
                with contextlib.suppress(ValueError):  # the last one may not be finished
                    found.append(json.loads(line))
        return [line for line in found if event is None or line.get("event") == event]

    def wait_for_line(self, event: str, seconds: float = 30, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the log says `event`, `count` times."""

        def found() -> list[dict[str, Any]]:
            lines = self.lines(event)
            return lines if len(lines) >= count else []

        return wait_until(found, seconds, f"{count} line(s) {event!r} in the log:\n{self.tail()}\n")

    def tail(self, lines: int = 15) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def terminate(self) -> None:
        """SIGTERM to the main process alone, as an orchestrator does; returns at once."""
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """The exit status; fails when it takes longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.tail()}") from None

    def stop(self, seconds: float = 20) -> tuple[int, float]:
        """SIGTERM and wait: exit status and how long it took."""
        started = time.monotonic()
        self.terminate()
        return self.wait(seconds), time.monotonic() - started

    def kill(self) -> None:
        """SIGKILL every process of this worker at once, and see them gone."""
        pids = [self.pid, *(child.pid for child in self.pool_processes())]
        self._kill_group()
        wait_until(lambda: not any(is_alive(pid) for pid in pids), what="the end of killed processes")
        self._killed = True

    def close(self) -> None:
        """Whatever is left of it ends now. A killed one is not touched again: its number may be another's by then."""
        if not self._killed:
            self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()  # it may not have come to have a group of its own
        self._process.wait()


def is_alive(pid: int) -> bool:
    """The process runs or is stopped; a zombie does not count."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def kill(pid: int) -> None:
    """SIGKILL one process and see it gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), what=f"the end of process {pid}")


def pid_of(consumer: str) -> int:
    """The process of a consumer of the group, from its name `host-pid-suffix`."""
    return int(consumer.rsplit("-", 2)[1])


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """SIGSTOP the process for the length of the block."""
    process = psutil.Process(pid)
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, what="the stop of a process")
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
