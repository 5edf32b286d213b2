"""Translate rows of Kolibri's exports, as its facility's page *Data* and `kolibri manage exportlogs` write them.

Session logs have a row for each visit, summary logs one for each learner and resource; only those have completions.
"Time Spent (sec)" of either is no one sitting's, as a session may pause for days, so it is dropped.
"""

from datetime import datetime

from worker.adapters.names import to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.table import EventType, cell, lesson_event, read_learner, read_row
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

COLUMNS = ("username", "channel id", "content id", "time of first interaction")
"""The headers of an export in English, in lower case."""

_TIMES: dict[str, EventType] = {
    "time of first interaction": "lesson.viewed",
    "time of last interaction": "lesson.viewed",
    "time of completion": "lesson.completed",
}


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the events of a row: a channel is a course, a resource a lesson. See `Translate`."""
    row = read_row(record)
    username, course, lesson = cell(row, "username"), cell(row, "channel id"), cell(row, "content id")
    if "username" in row and not username:
        raise Ignored("anonymous")  # a visitor who did not sign in
    learner = read_learner(username)
    if not course:
        raise Rejected("no_course", "The row has no channel id")
    if not lesson:
        raise Rejected("no_lesson", "The row has no content id")
    place = to_name(course), to_name(cell(row, "topic level 1")) or None, to_name(lesson)
    times = {
        (event_type, read_time(text, connection, arrived)): None  # one event if first and last are the same
        for column, event_type in _TIMES.items()
        if (text := cell(row, column))
    }
    if not times:
        raise Rejected("missing_member", "The row has no time of an interaction or a completion")
    return [
        lesson_event(event_type, time, learner, place, connection, format_name="kolibri") for event_type, time in times
    ]
