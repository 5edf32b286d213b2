"""Pictures that are shaded text: a tile for each lesson of a topic, a cell for each hour of the week."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

from worker.reports.formatting import compact, lesson_name, shown
from worker.reports.table import Kind, Table

LEVELS = 5
"""Shades above none."""

_DROP_OFF = (0.0, 0.05, 0.10, 0.20, 0.40)
"""A drop-off above each of these is a shade darker, the same for every course."""

DROP_OFF_SHADES = ("none", "up to 5 %", "up to 10 %", "up to 20 %", "up to 40 %", "more")
"""What each shade means."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A shaded figure with a label over it; a marked one has a sign of its own."""

    label: str
    figure: str
    words: str
    level: int
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Tiles:
    """Rows of tiles, each with its name."""

    template: ClassVar[str] = "tiles"
    title: str
    words: str
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]
    shades: Sequence[str] = DROP_OFF_SHADES


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of shaded figures: hours across, weekdays down."""

    template: ClassVar[str] = "grid"
    title: str
    words: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]


def drop_off_tiles(table: Table) -> Tiles:
    """The blockers' heat map: topics down, their lessons across, shaded by drop-off."""
    topics = groupby(table.records(), key=lambda record: record["topic_id"])
    rows = tuple((f"Topic {topic_id}", tuple(map(_tile, its))) for topic_id, its in topics)
    marked = sum(tile.is_marked for _, tiles in rows for tile in tiles)
    return Tiles(
        "Drop-off of each lesson",
        f"Drop-off of {len(table.rows)} lessons in {len(rows)} topics; {marked} of them marked as blockers",
        rows,
    )


def hour_grid(table: Table) -> Grid:
    """The week's heat map, shaded beside its busiest hour."""
    most = max(table.column("events"))
    weekdays = groupby(table.records(), key=lambda record: record["weekday"])
    rows = tuple((weekday, tuple(_hour(record, most) for record in its)) for weekday, its in weekdays)
    heads = tuple(f"{tile.label}" for tile in rows[0][1])
    return Grid("Events in each hour of the week", f"At most {most:,} in an hour", heads, rows)


def _tile(record: dict[str, Any]) -> Tile:
    drop_off = record["drop_off_ratio"]
    figure = shown(drop_off, Kind.RATIO)
    return Tile(
        label=str(record["lesson_id"]),
        figure=figure,
        words=f"{lesson_name(record)}: {record['stopped']:,} of {record['started']:,} who started stopped here",
        level=sum(drop_off > least for least in _DROP_OFF) if drop_off else 0,
        is_marked=record["is_blocker"],
    )


def _hour(record: dict[str, Any], most: int) -> Tile:
    events, hour = record["events"], record["hour"]
    return Tile(
        label=str(hour),
        figure=compact(events) if events else "",
        words=f"{record['weekday']} {hour}:00 to {hour + 1}:00: {events:,} events",
        level=-(-events * LEVELS // most),
    )
