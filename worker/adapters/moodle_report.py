"""Translate rows of the CSV that teachers download from Moodle's report *Logs*.

The descriptions are in English in every language. They name the learner and the activity, but neither the course nor,
of a completion, the state.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from worker.adapters.moodle_values import MoodleRow, event_of, learner_name
from worker.adapters.names import hashed_id, to_name, well_formed
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent, NamedLessonCompleted, NamedLessonEvent, NamedLessonViewed

COLUMNS = ("time", "description")
"""A report has more, in English."""

_ID = r"'(-?[0-9]{1,18})'"
_VIEWED = re.compile(rf"The user with id {_ID} viewed the '[^']*' activity with course module id {_ID}")
_COMPLETION = re.compile(
    rf"The user with id {_ID} updated the completion state for the course module with id {_ID} "
    rf"for the user with id {_ID}"
)
_TIME = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2}),? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


def is_report(row: Mapping[str, object]) -> bool:
    """Return whether the row is one of a report, by its columns as they are spelled or in lower case."""
    return ("Description" in row or "description" in row) and "eventname" not in row


def translate_report(row: Mapping[str, object], connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a row. Its course is the connection's, which may be none.

    A completion may have been taken back: it counts only with `assume_completed`.
    """
    cells = MoodleRow({str(name).lower(): value for name, value in row.items()})
    description = cells.text("description")
    kind: type[NamedLessonEvent]
    if viewed := _VIEWED.match(description):
        kind, user, module = NamedLessonViewed, viewed[1], viewed[2]
    elif completion := _COMPLETION.match(description):
        kind, user, module = NamedLessonCompleted, completion[3], completion[2]
    else:
        raise Ignored("event_type")
    if cells.text("origin") == "restore":
        raise Ignored("restore")
    if kind is NamedLessonCompleted and not connection.assume_completed:
        raise Ignored("state_unknown")
    learner = learner_name(int(user), connection)
    time = _time(cells.text("time"), connection, arrived)
    id_ = hashed_id(["moodle", f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", well_formed(description)])
    return [event_of(kind, id_, learner, _course(connection), int(module), time, connection)]


def _course(connection: Connection) -> str | None:
    course = connection.course
    return to_name(f"course:{course}" if course.isdecimal() else course) if course else None


def _time(text: str, connection: Connection, arrived: datetime) -> datetime:
    """Return the time, whose day is before the month, to the minute or second."""
    match = _TIME.fullmatch(text)
    if not match:
        raise Rejected("bad_time", "The time is not like 31/12/24, 15:37 (day, month, year), as Moodle writes it")
    day, month, year, hour, minute, second = match.groups()
    parts = f"{int(year) % 100 + 2000 if len(year) == 2 else int(year)}-{int(month):02}-{int(day):02}"
    return read_time(f"{parts}T{int(hour):02}:{minute}:{second or '00'}", connection, arrived).astimezone(UTC)
