"""Parse a batch of entries: ordinary lesson events on a fast path, everything else against the contract's models.

Nearly every entry is an ordinary lesson event, and the models take ten times as long (docs/decisions/0007). Every event
that the fast path accepts, `parse` would accept as the same event; rejections are left to `parse`.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from worker.contract.entry import Entry, Rejection
from worker.contract.event import MAX_EVENT_CHARACTERS, CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.contract.event_time import EARLIEST_TIME, LATEST_TIME, MAX_AHEAD_MILLISECONDS
from worker.contract.identity import MAX_SEQUENCE, identity, is_identity
from worker.contract.parse import parse_entry

_Id64 = Annotated[int, Meta(ge=1, le=2**63 - 1)]
_Id32 = Annotated[int, Meta(ge=1, le=2**31 - 1)]
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
    duration_seconds: Annotated[int, Meta(ge=0, le=86_400)] | None = None


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


Target = tuple[str, int]
"""The row that an event changes: an `enrollment` or a `course`, and its id."""


@dataclass(slots=True)
class Batch:
    """Parsed entries by kind of event, and the rejected ones."""

    enrollments: list[tuple[Entry, EnrollmentCreated]] = field(default_factory=list)
    outlines: list[tuple[Entry, CourseOutlined]] = field(default_factory=list)
    ledger_events: list[tuple[Entry, LedgerEvent | DecodedLessonEvent]] = field(default_factory=list)
    rejected: list[tuple[Entry, Rejection]] = field(default_factory=list)
    dropped: list[Entry] = field(default_factory=list)
    """The entry of each invalid optional member."""
    user_course_ids: set[int] = field(default_factory=set)

    def take_outlines(self) -> list[tuple[Entry, Target]]:
        """Remove the outlines and return their entries, each with its target."""
        taken = [(entry, ("course", event.data.course_id)) for entry, event in self.outlines]
        self.outlines.clear()
        return taken

    def targets(self) -> Iterator[tuple[Entry, Target]]:
        """Yield every entry that is not rejected, with its target."""
        for entry, outlined in self.outlines:
            yield entry, ("course", outlined.data.course_id)
        for entry, event in chain(self.enrollments, self.ledger_events):
            yield entry, ("enrollment", event.data.user_course_id)


def parse_batch(entries: Iterable[Entry]) -> Batch:
    """Parse the entries and group them by kind."""
    batch, now = Batch(), time.time() * 1000
    for entry in entries:
        lesson_event = decode(entry)
        if lesson_event is not None:
            batch.user_course_ids.add(lesson_event.data.user_course_id)
            batch.ledger_events.append((entry, lesson_event))
            continue
        dropped: list[str] = []
        try:
            event = parse_entry(entry, now, dropped)
        except Rejection as rejection:
            batch.rejected.append((entry, rejection))
            continue
        batch.dropped += [entry] * len(dropped)
        if isinstance(event, CourseOutlined):
            batch.outlines.append((entry, event))
            continue
        batch.user_course_ids.add(event.data.user_course_id)
        if isinstance(event, EnrollmentCreated):
            batch.enrollments.append((entry, event))
        else:
            batch.ledger_events.append((entry, event))
    return batch


_decode = Decoder(DecodedLessonEvent).decode


def decode(entry: Entry) -> DecodedLessonEvent | None:
    """Return the entry's event if it is a valid lesson event in ordinary form and with its time in UTC, else None."""
    body = entry.body
    if body is None or len(body) > MAX_EVENT_CHARACTERS or _PERHAPS_FINER_THAN_MICROSECONDS.search(body):
        return None
    try:
        event = _decode(body)
    except (DecodeError, UnicodeDecodeError):
        return None
    time = event.time
    if time.tzinfo is not UTC or not EARLIEST_TIME <= time < LATEST_TIME or not is_identity(event.id):
        return None
    if time.timestamp() * 1000 > entry.milliseconds + MAX_AHEAD_MILLISECONDS:
        return None
    return event
