"""Read the events of enrollments from the ledger."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.contract.event import (
    Correction,
    LedgerEvent,
    LessonActivity,
    LessonCompleted,
    LessonEvent,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.progress_status import ProgressStatus

COLUMNS = """user_course_id, topic_id, lesson_id, event_id::text, occurred_at, type::text, section_id, duration_seconds,
           corrected_status::text, corrected_last_viewed_at, corrected_completed_at, sequence"""

_EVENTS = text(f"""
    SELECT {COLUMNS} FROM lesson_event WHERE user_course_id = ANY(CAST(:ids AS bigint[])) ORDER BY user_course_id
""")  # noqa: S608 - a constant

_ACTIVITY = text(f"""
    SELECT {COLUMNS} FROM lesson_event WHERE user_course_id = :id AND type <> 'corrected' LIMIT :limit
""")  # noqa: S608 - a constant


def read_ledger(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, list[LedgerEvent]]]:
    """Stream the enrollments that have events, each with all of its events, unordered.

    Events are not validated again, and members that no rule needs are left out.
    """
    events = connection.execute(_EVENTS, {"ids": list(ids)}, execution_options={"yield_per": 5_000})
    for user_course_id, its in groupby(events, key=lambda row: int(row.user_course_id)):
        yield user_course_id, [ledger_event(row) for row in its]


def read_activity(connection: Connection, user_course_id: int, max_events: int) -> list[LessonEvent] | None:
    """Return the enrollment's events except corrections, unordered; None if there are more than `max_events`."""
    rows = connection.execute(_ACTIVITY, {"id": user_course_id, "limit": max_events + 1}).all()
    if len(rows) > max_events:
        return None
    events = (ledger_event(row) for row in rows)
    return [event for event in events if not isinstance(event, ProgressCorrected)]


def ledger_event(row: Row[Any]) -> LedgerEvent:
    """Return the event in a row of the ledger, whose ids and enums are text. It is not validated again."""
    envelope = {"specversion": "1.0", "id": row.event_id, "source": "ledger", "time": row.occurred_at}
    envelope["sequence"] = row.sequence or None
    lesson = {"user_course_id": row.user_course_id, "topic_id": row.topic_id, "lesson_id": row.lesson_id}
    if row.type == "corrected":
        correction = Correction.model_construct(
            **lesson,
            status=ProgressStatus(row.corrected_status),
            last_viewed_at=row.corrected_last_viewed_at,
            completed_at=row.corrected_completed_at,
        )
        return ProgressCorrected.model_construct(**envelope, data=correction)
    activity = LessonActivity.model_construct(
        **lesson, section_id=row.section_id, duration_seconds=row.duration_seconds
    )
    kind = LessonCompleted if row.type == "completed" else LessonViewed
    return kind.model_construct(**envelope, data=activity)
