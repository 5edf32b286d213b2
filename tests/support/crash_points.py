"""Make a worker's process die, or stand still, at one exact point of its code, so often in all and not once more.

The interpreters run a `sitecustomize` of the test's, found by PYTHONPATH: it wraps functions so that a process sends
SIGKILL (or SIGSTOP) to itself right before or right after a call. Nothing in the worker knows of it. Every death first
makes a file that must not exist yet: the files are the count over all processes, and the proof.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.worker_process import ROOT

# Runs before anything else is imported, so that whoever imports a function by name afterwards gets the wrapped one.
_SITECUSTOMIZE = """
import functools, importlib, itertools, os, signal

def die(number, times, name):
    for death in range(times) if times else itertools.count():
        try:
            file = os.open(f"{deaths}/{{number}}-{{death:03}}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            continue
        os.write(file, str(os.getpid()).encode())
        os.kill(os.getpid(), getattr(signal, name))
        return

def deadly(function, number, moment, times, when, name):
    applies = eval(f"lambda arguments, result: {{when}}")

    @functools.wraps(function)
    def die_or_call(*arguments, **options):
        if moment == "before" and applies(arguments, None):
            die(number, times, name)
        result = function(*arguments, **options)
        if moment == "after" and applies(arguments, result):
            die(number, times, name)
        return result

    return die_or_call

for number, (module, name, *point) in enumerate({points!r}):
    owner = importlib.import_module(module)
    setattr(owner, name, deadly(getattr(owner, name), number, *point))
"""


@dataclass(frozen=True)
class CrashPoint:
    """Right before or after the call of `function`, named `module:name` where the worker looks it up."""

    moment: Literal["before", "after"]
    function: str
    times: int | None = 1
    """Deaths over all processes; None: every time."""
    when: str = "True"
    """A condition in Python on the call's `arguments` and, after it, its `result`."""
    by: Literal["SIGKILL", "SIGSTOP"] = "SIGKILL"


class CrashPoints:
    """Points at which processes die that run in this `environment`."""

    def __init__(self, directory: Path, *points: CrashPoint) -> None:
        self._deaths = directory / "deaths"
        self._deaths.mkdir()
        folder = directory / "python"
        folder.mkdir()
        rows = [(*point.function.split(":"), point.moment, point.times, point.when, point.by) for point in points]
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(deaths=self._deaths, points=rows))
        self.environment: Mapping[str, str] = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}

    def dead(self) -> list[int]:
        """The processes that died or stood still so, in order."""
        return [int(file.read_text() or 0) for file in sorted(self._deaths.iterdir())]
