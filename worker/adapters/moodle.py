"""Translate events of Moodle: rows of its table `logstore_standard_log`, webhooks, and rows of its report's CSV.

A row and the webhook of the same event have one id: the hash of the members that both have.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from worker.adapters.moodle_report import is_report, translate_report
from worker.adapters.moodle_values import MoodleRow, event_of, learner_name, require_course
from worker.adapters.names import hashed_id
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.table import read_row
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLessonCompleted,
    NamedLessonEvent,
    NamedLessonReopened,
    NamedLessonViewed,
)

COLUMNS = ("eventname", "contextinstanceid", "userid", "relateduserid", "courseid", "other", "timecreated")
"""Of a table of rows."""

_COMPLETION = "\\core\\event\\course_module_completion_updated"
_ENROLLED = "\\core\\event\\user_enrolment_created"
_UNENROLLED = "\\core\\event\\user_enrolment_deleted"
_VIEWED = re.compile(
    r"\\mod_\w+\\event\\(?:course_module_viewed|chapter_viewed|content_page_viewed|attempt_viewed|attempt_started"
    r"|sco_launched|discussion_viewed|page_viewed|entry_viewed|lesson_started|lesson_resumed)|\\(?:\w+\\)+h5p_viewed"
)
_OUTLINE = re.compile(r"\\(?:\w+\\)+(?:course_module_(?:created|updated|deleted)|course_section_\w+)")
_STATES: dict[int | None, type[NamedLessonEvent]] = {
    0: NamedLessonReopened,
    1: NamedLessonCompleted,
    2: NamedLessonCompleted,  # and passed
    3: NamedLessonViewed,  # and failed
}
_MODULE_LEVEL = 70
_TEACHING = 1


def split(document: object) -> Iterator[object]:
    """Return the records of a document, a list or one, without the token that a webhook has."""
    for each in document if isinstance(document, list) else [document]:
        yield {key: each[key] for key in each if key != "token"} if isinstance(each, dict) else each


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a row or webhook; see `worker.adapters.translation.Translate`."""
    if isinstance(record, str | bytes):
        raise Rejected("not_json", "The record is a text. A record is an object with eventname and other members")
    row = record if isinstance(record, dict) and ("eventname" in record or is_report(record)) else read_row(record)
    if is_report(row):
        return translate_report(row, connection, arrived)
    return _translate_row(MoodleRow(row), connection, arrived)


def _translate_row(row: MoodleRow, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    name = row.event_name
    kind: type[NamedLessonEvent] | None = None
    if name == _COMPLETION:
        kind = _event_of_state(row.other)
    elif _VIEWED.fullmatch(name):
        kind = NamedLessonViewed
    elif name != _ENROLLED:
        raise Ignored(_other_kind(name))
    if row.text("origin") == "restore":
        raise Ignored("restore")
    is_view = kind is not None and name != _COMPLETION
    if is_view:
        _refuse_others_views(row)
    learner = learner_name(row.number("userid" if is_view else "relateduserid"), connection)
    course = require_course(row.number("courseid"), connection)
    time = read_time(row.value("timecreated"), connection, arrived)
    members = [row.number(member) for member in ("userid", "relateduserid", "courseid", "contextinstanceid")]
    id_ = hashed_id(
        ["moodle", name, f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", *members, row.number_or_text("objectid"), row.other]
    )
    if kind is None:
        data = NamedEnrollment(learner=learner, course=course, timezone=connection.timezone or "UTC")
        return [NamedEnrollmentCreated(id=id_, source=connection.name, time=time, data=data)]
    return [event_of(kind, id_, learner, course, row.number("contextinstanceid"), time, connection)]


def _other_kind(name: str) -> str:
    if name == _UNENROLLED:
        return "unenrolment"
    return "outline" if _OUTLINE.fullmatch(name) else "event_type"


def _event_of_state(other: object) -> type[NamedLessonEvent]:
    state = MoodleRow(other).number("completionstate") if isinstance(other, dict) else None
    if state not in _STATES:
        raise Rejected("bad_state", "The completion state is none of 0, 1, 2 and 3")
    return _STATES[state]


def _refuse_others_views(row: MoodleRow) -> None:
    """Raise Ignored for a view of what is no lesson, or by whom it is not the learner's own."""
    level, user, related = row.number("contextlevel"), row.number("userid"), row.number("relateduserid")
    if level not in {None, _MODULE_LEVEL}:
        raise Ignored("not_a_lesson")
    if row.number("realuserid"):
        raise Ignored("impersonated")
    if row.number("anonymous") == 1:
        raise Ignored("anonymous")
    if row.number("edulevel") == _TEACHING or (user and related and user != related):
        raise Ignored("staff")
