"""The progress rows and positions that the recorded events require. Pure.

After retention the remaining events prove only a lower bound. Above it the stored row is trusted, and counted as
unprovable.
"""

from datetime import MAXYEAR, MINYEAR, datetime
from typing import TypeGuard

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


def expected_progress(stored: Progress | None, recorded: Progress | None, *, complete: bool) -> Progress | None:
    """Return the row that a lesson must have: that of its events, or a blank one if it was created before any event.

    `recorded` is None when the lesson has no events left; `complete`: retention deleted nothing. All events of a lesson
    since its correction are kept.
    """
    if recorded is None:
        return stored if stored is None or not complete else Progress()
    if complete or recorded.corrected_at or stored is None:
        return recorded
    return Progress(
        max(stored.status, recorded.status, key=lambda status: status.rank),
        max(filter(_is_plausible, (stored.last_viewed_at, recorded.last_viewed_at)), default=None),
        min(filter(_is_plausible, (stored.completed_at, recorded.completed_at)), default=None),
        section=max(filter(None, (stored.section, recorded.section)), key=lambda each: each.order, default=None),
    )


def _is_plausible(time: datetime | None) -> TypeGuard[datetime]:
    """Return whether an event may have this time; `worker.database.times` reads other times as the first or last."""
    return time is not None and MINYEAR < time.year < MAXYEAR


def expected_position(stored: Position | None, recorded: Position | None, *, complete: bool) -> Position | None:
    """Return the position that an enrollment must have: that of its latest lesson event."""
    if complete or stored is None or not _is_plausible(stored.occurred_at):
        return recorded
    return stored if recorded is None or stored.order[:3] > recorded.order[:3] else recorded


def position_columns(where: Position | None) -> dict[str, object]:
    """Return a position by the names of its columns in `user_course`."""
    if where is None:
        return dict.fromkeys(_POSITION_COLUMNS)
    at, sequence, is_view, event_id = where.order
    place = (where.topic_id, where.lesson_id, where.section_id)
    kind = "viewed" if is_view else "completed"
    return dict(zip(_POSITION_COLUMNS, (*place, at, sequence, kind, event_id or None, where.is_tied), strict=True))
