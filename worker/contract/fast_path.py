"""Decode ordinary lesson events fast. The contract's models would take ten times as long (docs/decisions/0007).

Every event that is accepted here, `parse` would accept as the same event; rejections are left to `parse`.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from worker.contract.entry import Entry
from worker.contract.event import MAX_EVENT_CHARACTERS
from worker.contract.event_time import EARLIEST_TIME, LATEST_TIME, MAX_AHEAD_MILLISECONDS
from worker.contract.id_ranges import MAX_ID, MAX_LESSON_ID
from worker.contract.identity import MAX_SEQUENCE, identity, is_identity
from worker.contract.value_types import MAX_DURATION_SECONDS, is_name

_Id64 = Annotated[int, Meta(ge=1, le=MAX_ID)]
_Id32 = Annotated[int, Meta(ge=1, le=MAX_LESSON_ID)]
_Name = Annotated[str, Meta(min_length=1)]
_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)] | Annotated[str, Meta(pattern="^[!-~]{1,100}$")]

_PERHAPS_FINER_THAN_MICROSECONDS = re.compile(rb"\.\d{7}|\\u00[23]")
"""This decoder would round such times where the contract truncates, so they are left to the contract; so are times with
escaped dots or digits."""


class Activity(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`worker.contract.event.LessonActivity`."""

    user_course_id: _Id64
    topic_id: _Id32
    lesson_id: _Id32
    section_id: _Id32 | None = None
    duration_seconds: Annotated[int, Meta(ge=0, le=MAX_DURATION_SECONDS)] | None = None


class DecodedLessonEvent(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`worker.contract.event.LessonEvent`, with the CloudEvents members that libraries add.

    An event with any other member is left to the contract.
    """

    id: _Name
    source: _Name
    time: Annotated[datetime, Meta(tz=True)]
    type: Literal["lesson.viewed", "lesson.completed"]
    data: Activity
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    sequence: _Sequence | None = None
    untimed: bool | None = None

    @property
    def event_id(self) -> str:
        """The identity as a UUID string."""
        return identity(self.source, self.id)


class NamedActivity(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`worker.contract.named_event.NamedLesson`."""

    learner: _Name
    lesson: _Name
    course: _Name | None = None
    topic: _Name | None = None
    duration_seconds: Annotated[int, Meta(ge=0, le=MAX_DURATION_SECONDS)] | None = None
    enrols: bool = True


class DecodedNamedEvent(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`worker.contract.named_event.NamedLessonViewed` or `NamedLessonCompleted`; otherwise like DecodedLessonEvent."""

    id: _Name
    source: _Name
    time: Annotated[datetime, Meta(tz=True)]
    type: Literal["lesson.viewed", "lesson.completed"]
    data: NamedActivity
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    sequence: _Sequence | None = None
    untimed: bool | None = None


_decode = Decoder(DecodedLessonEvent).decode
_decode_named = Decoder(DecodedNamedEvent).decode


def decode(entry: Entry) -> DecodedLessonEvent | DecodedNamedEvent | None:
    """Return the entry's event if it is a valid lesson event in ordinary form and with its time in UTC, else None."""
    body = entry.body
    if body is None or len(body) > MAX_EVENT_CHARACTERS or _PERHAPS_FINER_THAN_MICROSECONDS.search(body):
        return None
    try:
        event = _decode_named(body) if b'"learner":' in body else _decode(body)
    except (DecodeError, UnicodeDecodeError):
        return None
    if isinstance(event, DecodedNamedEvent) and not _has_names(event):
        return None
    time = event.time
    if time.tzinfo is not UTC or not EARLIEST_TIME <= time < LATEST_TIME or not is_identity(event.id):
        return None
    if time.timestamp() * 1000 > entry.milliseconds + MAX_AHEAD_MILLISECONDS:
        return None
    return event


def _has_names(event: DecodedNamedEvent) -> bool:
    data = event.data
    return (
        is_name(event.source)
        and is_name(data.learner)
        and is_name(data.lesson)
        and (data.course is None or is_name(data.course))
        and (data.topic is None or is_name(data.topic))
    )
