"""Scales of charts: where the lines are, and which labels have room."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from worker.reports.formatting import SPACE, compact, shown
from worker.reports.table import Kind

_MAX_LINES = 4
"""Lines of a scale, without the base line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A label on an axis; `at` is a percentage of its length."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale from 0 to `top`, with a mark at each round figure."""

    top: float
    marks: tuple[Mark, ...]

    def percent(self, value: float) -> float:
        """Return the height of the value in percent."""
        return round(100 * value / self.top, 2)


def scale_for(values: Iterable[float], kind: Kind) -> Scale:
    """Return the scale that the values fill best, with figures that are round in the unit shown."""
    most = max(values, default=0)
    unit = next((size for size in (3_600, 60) if kind is Kind.SECONDS and most >= 2 * size), 1)
    step = unit * _round_step(most / unit / _MAX_LINES, whole=kind is Kind.COUNT)
    lines = max(1, ceil(most / step - 1e-9))
    unit_name = {3_600: "h", 60: "min"}.get(unit)
    texts = [
        f"{compact(number * step / unit)}{SPACE}{unit_name}" if unit_name else shown(_tidy(number * step, kind), kind)
        for number in range(1, lines + 1)
    ]
    return Scale(lines * step, tuple(Mark(100 * number / lines, text) for number, text in enumerate(texts, 1)))


def with_room(marks: Sequence[Mark], room: float, last: str = "") -> list[Mark]:
    """Return the marks `room` percent from the previous one and from the end, or from `last`, which ends there."""
    kept: list[Mark] = []
    for mark in marks:
        if mark.at <= 100 - room * (2 if last else 1) and (not kept or mark.at - kept[-1].at >= room):
            kept.append(mark)
    return kept


def _round_step(minimum: float, *, whole: bool) -> float:
    """Return 1, 2 or 5 times a power of ten, at least the minimum."""
    if minimum <= 0:
        return 1
    power = 10.0 ** floor(log10(minimum))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= minimum * 0.999_999)
    return max(1.0, step) if whole else step


def _tidy(number: float, kind: Kind) -> float:
    return round(number) if kind is Kind.COUNT else number
