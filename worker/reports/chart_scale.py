"""Scales: where a picture has its lines, and which of its labels have room."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from worker.reports.formatting import SPACE, compact, shown
from worker.reports.table import Kind

_STEPS = 4
"""Most lines of a scale, the base line left out."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A label on an axis, at so many percent of its length."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From nothing to `top`, with a mark at each round figure."""

    top: float
    marks: tuple[Mark, ...]

    def percent(self, value: float) -> float:
        """How far up the value is."""
        return round(100 * value / self.top, 2)


def scale_for(values: Iterable[float], kind: Kind) -> Scale:
    """The scale that the values fill best; its figures are round in the unit in which they are shown."""
    most = max(values, default=0)
    unit = next((size for size in (3_600, 60) if kind is Kind.SECONDS and most >= 2 * size), 1)
    step = unit * _round_step(most / unit / _STEPS, whole=kind is Kind.COUNT)
    lines = max(1, ceil(most / step - 1e-9))
    unit_words = {3_600: "h", 60: "min"}.get(unit)
    texts = [
        f"{compact(number * step / unit)}{SPACE}{unit_words}" if unit_words else shown(_tidy(number * step, kind), kind)
        for number in range(1, lines + 1)
    ]
    return Scale(lines * step, tuple(Mark(100 * number / lines, text) for number, text in enumerate(texts, 1)))


def with_room(marks: Sequence[Mark], least: float) -> list[Mark]:
    """Those marks that are at least so many percent from the one before and from the end."""
    kept: list[Mark] = []
    for mark in marks:
        if mark.at <= 100 - least and (not kept or mark.at - kept[-1].at >= least):
            kept.append(mark)
    return kept


def _round_step(least: float, *, whole: bool) -> float:
    """1, 2 or 5 times a power of ten, at least so much."""
    if least <= 0:
        return 1
    power = 10.0 ** floor(log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999_999)
    return max(1.0, step) if whole else step


def _tidy(number: float, kind: Kind) -> float:
    return round(number) if kind is Kind.COUNT else number
