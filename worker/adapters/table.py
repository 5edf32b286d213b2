"""Translate rows of a table of history: a learner, a course, a lesson, and when it was viewed or completed."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from worker.adapters.names import hashed_id, mail_name, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent, NamedLesson, NamedLessonCompleted, NamedLessonViewed
from worker.contract.value_types import MAX_DURATION_SECONDS

COLUMNS = ("learner", "course", "lesson")
"""A table without one of these has nothing to translate."""

EventType = Literal["lesson.viewed", "lesson.completed"]
Row = Mapping[str, object]

_COMPLETED = {"completed", "complete", "passed"}
_VIEWED = {"viewed", "in progress", "started", "incomplete"}
_NOT_STARTED = {"not started"}


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the events of a row with the columns of docs/how-to/import-history.md. See `Translate`."""
    row = read_row(record)
    learner, course, lesson = read_learner(cell(row, "learner")), cell(row, "course"), cell(row, "lesson")
    if not course:
        raise Rejected("no_course", "The row has no course")
    if not lesson:
        raise Rejected("no_lesson", "The row has no lesson")
    times = _times(row, connection, arrived)
    seconds = _duration(cell(row, "duration_seconds"))
    own_id, last = cell(row, "id"), next(reversed(times))
    place = to_name(course), to_name(cell(row, "topic")) or None, to_name(lesson)
    return [
        lesson_event(
            event_type,
            time,
            learner,
            place,
            connection,
            own_id=to_name(f"{own_id}/{event_type}") if own_id else None,
            duration_seconds=seconds if event_type == last else None,
        )
        for event_type, time in times.items()
    ]


def _times(row: Row, connection: Connection, arrived: datetime) -> dict[EventType, datetime]:
    """Return when the lesson was viewed and completed, in that order; a status tells what no column does."""
    given: dict[EventType, str] = {
        "lesson.viewed": cell(row, "viewed_at"),
        "lesson.completed": cell(row, "completed_at"),
    }
    status, time, is_given = cell(row, "status"), cell(row, "time"), any(given.values())
    if status and (not is_given or (time and not all(given.values()))):
        event_type = _event_type(status)
        if event_type:
            given[event_type] = given[event_type] or time
        elif not is_given:
            raise Ignored("not_started")
    times = {each: read_time(text, connection, arrived, date_alone=True) for each, text in given.items() if text}
    if not times:
        raise Rejected("missing_member", "The row has neither viewed_at nor completed_at, nor status and time")
    return times


def _event_type(status: str) -> EventType | None:
    """Return what the status means, None of a lesson not started. Raises Rejected, `bad_state`."""
    words = re.sub(r"[\s_-]+", " ", status.lower()).strip()
    if words in _NOT_STARTED:
        return None
    if words in _COMPLETED:
        return "lesson.completed"
    if words in _VIEWED:
        return "lesson.viewed"
    raise Rejected("bad_state", "The status is none of completed, viewed, in progress and not started")


def _duration(text: str) -> int | None:
    """Return whole seconds; None for what is no plain number or exceeds a day, as everywhere."""
    whole, _, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 9 and (not fraction or fraction.isdecimal())):
        return None
    seconds = int(whole)
    return seconds if seconds <= MAX_DURATION_SECONDS else None


def read_row(record: object) -> Row:
    """Return the row with the names of its columns in lower case. Raises Rejected, `not_an_object`."""
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is no row: it has no columns")
    names = sorted(name for name in record if isinstance(name, str))  # of two that differ in case, always the same wins
    return {name.strip("\ufeff \t").lower(): record[name] for name in names}


def cell(row: Row, column: str) -> str:
    """Return the column's text without the spaces around it; empty if the row has none. JSON may have whole numbers."""
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**20 else ""
    return value.strip() if isinstance(value, str) else ""


def read_learner(text: str) -> str:
    """Return the learner's name: the hash of a mail address, else `user:` and the text. Raises Rejected."""
    if not text:
        raise Rejected("no_learner", "The row has no learner")
    return mail_name(text) if "@" in text else to_name(f"user:{text}")


def lesson_event(
    event_type: EventType,
    time: datetime,
    learner: str,
    place: tuple[str, str | None, str],
    connection: Connection,
    *,
    own_id: str | None = None,
    duration_seconds: int | None = None,
    format_name: str = "csv",
) -> NamedEvent:
    """Return the event of a row. `place` is course, topic and lesson; without `own_id`, the id is a hash."""
    course, topic, lesson = place
    kind = NamedLessonCompleted if event_type == "lesson.completed" else NamedLessonViewed
    return kind(
        id=own_id or hashed_id([format_name, event_type, f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", learner, course, lesson]),
        source=connection.name,
        time=time,
        data=NamedLesson(learner=learner, lesson=lesson, course=course, topic=topic, duration_seconds=duration_seconds),
    )
