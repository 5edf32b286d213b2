"""What stored rows must be, given the recorded events, and where they differ from that.

Retention may have deleted events. What is left then proves only a lower bound, which merging the stored row onto it
cannot lower; the stored row is taken at its word above that, and counted as unprovable.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import TypeGuard

from worker.analytics.rules.activity_rows import Key
from worker.progress.reference import Position, Progress

_POSITION_COLUMNS = (
    "current_topic",
    "current_lesson",
    "current_section",
    "position_at",
    "position_sequence",
    "position_type",
    "position_event_id",
    "position_tied",
)

NO_ROW = "no row"
WHOLE_ROW = "*"


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of a row that is not what it must be; the column `*` is the whole row."""

    table: str
    key: Key
    column: str
    stored: object
    expected: object


def differences(
    table: str, key: Key, stored: Mapping[str, object] | None, expected: Mapping[str, object] | None
) -> Iterator[Difference]:
    """Column by column where a stored row differs from the expected one; None stands for no row."""
    if stored is None or expected is None:
        if stored != expected:
            yield Difference(table, key, WHOLE_ROW, stored or NO_ROW, expected or NO_ROW)
        return
    for column, value in expected.items():
        if stored[column] != value:
            yield Difference(table, key, column, stored[column], value)


def expected_progress(stored: Progress | None, recorded: Progress | None, *, complete: bool) -> Progress | None:
    """The row that a lesson must have: what its events make of it, or a blank one that was made ahead of any event.

    `recorded` is None where no event of the lesson is left; `complete` says that none was ever deleted. From its
    correction on, all events of a lesson are kept.
    """
    if recorded is None:
        return stored if stored is None or not complete else Progress()
    if complete or recorded.corrected_at or stored is None:
        return recorded
    return Progress(
        max(stored.status, recorded.status, key=lambda status: status.rank),
        max(filter(_is_told, (stored.last_viewed_at, recorded.last_viewed_at)), default=None),
        min(filter(_is_told, (stored.completed_at, recorded.completed_at)), default=None),
        section=max(filter(None, (stored.section, recorded.section)), key=lambda each: each.order, default=None),
    )


def _is_told(time: datetime | None) -> TypeGuard[datetime]:
    """There is a time that an event may have told; what Python cannot hold is read as the first or the last."""
    return time is not None and MINYEAR < time.year < MAXYEAR


def expected_position(stored: Position | None, recorded: Position | None, *, complete: bool) -> Position | None:
    """The position that an enrollment must have: that of its latest lesson event."""
    if complete or stored is None or not _is_told(stored.occurred_at):
        return recorded
    return stored if recorded is None or stored.order[:3] > recorded.order[:3] else recorded


def position_columns(where: Position | None) -> dict[str, object]:
    """By their names in `user_course`."""
    if where is None:
        return dict.fromkeys(_POSITION_COLUMNS)
    at, sequence, is_view, event_id = where.order
    place = (where.topic_id, where.lesson_id, where.section_id)
    kind = "viewed" if is_view else "completed"
    return dict(zip(_POSITION_COLUMNS, (*place, at, sequence, kind, event_id or None, where.is_tied), strict=True))
