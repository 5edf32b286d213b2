"""Clocks of hosts that differ and are set while they run, one for each process, by libfaketime if it is there."""

import random
from pathlib import Path

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Debian's package `faketime`; None without it, and then all clocks are right."""

_SLEEP = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""
"""Under libfaketime 0.9.10 Python's own sleep, until a moment of the monotonic clock, is refused by the kernel."""

OFFSETS = ("-3600", "-8", "+0", "+8", "+50", "+34560000")
"""Seconds that a clock may be off; the last is 400 days."""


class Clocks:
    """A clock for each name, to be set at random."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._directory = directory
        self._chance = chance
        self._names: list[str] = []
        (directory / "sitecustomize.py").write_text(_SLEEP)

    def environment(self, name: str) -> dict[str, str]:
        """For a process whose clock has this name; its monotonic clock stays right, as on a real host."""
        if LIBRARY is None:
            return {}
        file = self._directory / f"clock-{name}"
        if not file.exists():
            file.write_text("+0")
            self._names.append(name)
        return {
            "LD_PRELOAD": str(LIBRARY),
            "PYTHONPATH": str(self._directory),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def step(self) -> bool:
        """Set one of the clocks; whether there is one."""
        if not self._names:
            return False
        (self._directory / f"clock-{self._chance.choice(self._names)}").write_text(self._chance.choice(OFFSETS))
        return True
