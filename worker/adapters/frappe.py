"""Translate documents of Frappe LMS: `LMS Course Progress` and `LMS Enrollment`, as webhooks and REST give them."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from worker.adapters.names import mail_name, to_name, well_formed
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.table import cell
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLesson,
    NamedLessonCompleted,
    NamedLessonViewed,
)

PROGRESS, ENROLLMENT = "LMS Course Progress", "LMS Enrollment"

_Document = Mapping[str, object]


def split(document: object) -> Iterator[object]:
    """Return the documents of a webhook, a list, or an answer of Frappe's REST API, `{"data": …}`."""
    if isinstance(document, dict) and "doctype" not in document and isinstance(document.get("data"), dict | list):
        document = document["data"]
    yield from document if isinstance(document, list) else [document]


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a document; see `worker.adapters.translation.Translate`."""
    if isinstance(record, str | bytes):
        raise Rejected("not_json", "The record is a text. A record is a document with doctype and other members")
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is no document: it has no members")
    doctype = cell(record, "doctype")
    if not doctype:
        raise Rejected("missing_member", "The document has no doctype. Add it to the webhook's data")
    if doctype == PROGRESS:
        return [_progress(record, connection, arrived)]
    if doctype == ENROLLMENT:
        return [_enrollment(record, connection, arrived)]
    raise Ignored("event_type")


def _progress(document: _Document, connection: Connection, arrived: datetime) -> NamedEvent:
    status = cell(document, "status")
    if status == "Incomplete":
        raise Ignored("not_started")
    if status not in {"Complete", "Partially Complete"}:
        raise Rejected("bad_state", "The status is none of Complete, Partially Complete and Incomplete")
    learner = _learner(document)
    lesson = to_name(cell(document, "lesson"))
    if not lesson:
        raise Rejected("no_lesson", "The document has no lesson")
    modified = cell(document, "modified") or cell(document, "creation")
    kind = NamedLessonCompleted if status == "Complete" else NamedLessonViewed
    return kind(
        id=_id(PROGRESS, _name(document), status, modified),
        source=connection.name,
        time=read_time(modified, connection, arrived),
        data=NamedLesson(
            learner=learner,
            lesson=lesson,
            course=to_name(cell(document, "course")) or None,
            topic=to_name(cell(document, "chapter")) or None,
        ),
    )


def _enrollment(document: _Document, connection: Connection, arrived: datetime) -> NamedEvent:
    if cell(document, "member_type") not in {"", "Student"}:
        raise Ignored("staff")
    learner = _learner(document)
    course = to_name(cell(document, "course"))
    if not course:
        raise Rejected("no_course", "The document has no course")
    return NamedEnrollmentCreated(
        id=_id(ENROLLMENT, _name(document)),  # its progress is saved in it too: only its creation counts
        source=connection.name,
        time=read_time(cell(document, "creation"), connection, arrived),
        data=NamedEnrollment(learner=learner, course=course, timezone=connection.timezone or "UTC"),
    )


def _learner(document: _Document) -> str:
    """Return the learner's name: the hash of the mail address, which is the name of a user."""
    member = cell(document, "member")
    if not member:
        raise Rejected("no_learner", "The document has no member")
    if member == "Administrator":
        raise Ignored("staff")
    if member == "Guest":
        raise Ignored("anonymous")
    return mail_name(member) if "@" in member else to_name(f"user:{member}")


def _name(document: _Document) -> str:
    name = cell(document, "name")
    if not name:
        raise Rejected("missing_member", "The document has no name. Add it to the webhook's data")
    return name


def _id(*parts: str) -> str:
    return to_name(well_formed("/".join(parts)))
