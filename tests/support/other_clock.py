"""A host whose clock is wrong: a Celery process started by this runs by a clock that the test sets at any time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.system import System
from tests.support.worker_process import ROOT

_SITECUSTOMIZE = """
import os, time
from datetime import timedelta
from pathlib import Path

from celery.app.base import Celery

real, now = time.time, Celery.now

def ahead():
    return float(Path(os.environ["CLOCK_AHEAD"]).read_text())

time.time = lambda: real() + ahead()
Celery.now = lambda self: now(self) + timedelta(seconds=ahead())
"""


class OtherClock:
    """How many seconds the clock is ahead, in a file that the processes read again and again."""

    def __init__(self, directory: Path, ahead: float) -> None:
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self._directory = directory
        self.set(ahead)

    def set(self, ahead: float) -> None:
        """Step the clock of every process that runs by it."""
        new = self._directory / "new"
        new.write_text(str(ahead))
        new.rename(self._directory / "ahead")

    @contextmanager
    def rules(self, system: System) -> Iterator[None]:
        """What the system starts within the block runs by this clock."""
        before = dict(system.extra_environment)
        system.extra_environment |= {
            "PYTHONPATH": f"{self._directory}{os.pathsep}{ROOT}",
            "CLOCK_AHEAD": str(self._directory / "ahead"),
        }
        yield
        system.extra_environment = before
