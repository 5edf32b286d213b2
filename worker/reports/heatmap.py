"""Heat maps, shaded text: a tile for each lesson of a topic, a cell for each hour of the week."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from worker.analytics.analysis import AnalyzedLesson
from worker.reports.formatting import compact, lesson_name, shown
from worker.reports.hours import Hour
from worker.reports.table import Kind

LEVELS = 5
"""Shades above none."""

_DROP_OFF = (0.0, 0.05, 0.10, 0.20, 0.40)
"""A drop-off above each of these is one shade darker, the same for every course."""

DROP_OFF_SHADES = ("none", "up to 5 %", "up to 10 %", "up to 20 %", "up to 40 %", "more")
"""The legend of the shades."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A shaded figure with a label, a tooltip, and a mark if it stands out."""

    label: str
    figure: str
    tooltip: str
    level: int
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Tiles:
    """Named rows of tiles; `description` is for screen readers."""

    template: ClassVar[str] = "tiles"
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]
    shades: Sequence[str] = DROP_OFF_SHADES


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of shaded figures: hours across, weekdays down."""

    template: ClassVar[str] = "grid"
    title: str
    legend: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]


def drop_off_tiles(lessons: Sequence[AnalyzedLesson]) -> Tiles:
    """Return the drop-off of each lesson: topics down, their lessons across."""
    topics = groupby(lessons, key=lambda lesson: lesson.topic_id)
    rows = tuple((f"Topic {topic_id}", tuple(map(_tile, its))) for topic_id, its in topics)
    marked = sum(lesson.is_blocker for lesson in lessons)
    return Tiles(
        "Drop-off of each lesson",
        f"Drop-off of {len(lessons)} lessons in {len(rows)} topics; {marked} of them marked as blockers",
        rows,
    )


def hour_grid(hours: Sequence[Hour]) -> Grid:
    """Return the hours of the week, shaded relative to the busiest one."""
    most = max(hour.events for hour in hours)
    weekdays = groupby(hours, key=lambda hour: hour.weekday)
    rows = tuple((weekday, tuple(_hour(hour, most) for hour in its)) for weekday, its in weekdays)
    heads = tuple(tile.label for tile in rows[0][1])
    return Grid("Events in each hour of the week", f"At most {most:,} in an hour", heads, rows)


def _tile(lesson: AnalyzedLesson) -> Tile:
    started, drop_off = lesson.statistics.started, lesson.drop_off
    return Tile(
        label=str(lesson.lesson_id),
        figure=shown(drop_off, Kind.RATIO),
        tooltip=f"{lesson_name(lesson)}: {lesson.stopped:,} of {started:,} who started stopped here",
        level=sum(drop_off > bound for bound in _DROP_OFF) if drop_off else 0,
        is_marked=lesson.is_blocker,
    )


def _hour(its: Hour, most: int) -> Tile:
    return Tile(
        label=str(its.hour),
        figure=compact(its.events) if its.events else "",
        tooltip=f"{its.weekday} {its.hour}:00 to {its.hour + 1}:00: {its.events:,} events",
        level=-(-its.events * LEVELS // most),
    )
