"""Parse a batch of entries: nearly all on the fast path, the rest against the contract's models."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from worker.contract.entry import Entry, Rejection
from worker.contract.event import CourseOutlined, EnrollmentCreated, Event, LedgerEvent, LessonReopened
from worker.contract.fast_path import DecodedLessonEvent, DecodedNamedEvent, decode
from worker.contract.named_event import NAMED_EVENT_TYPES, NamedEvent, partition_key_of
from worker.contract.parse import parse_entry

Target = tuple[str, int]
"""The row that an event changes: an `enrollment` or a `course`, and its id. Of names not yet resolved: `names`, and the
partition key."""


@dataclass(frozen=True, slots=True)
class AwaitedLesson:
    """A lesson that an event names and the map does not know, or knows in several courses."""

    source: str
    key: str
    course_id: int | None
    """None if the event names no course."""


@dataclass(frozen=True, slots=True)
class LearnerOfCourse:
    """Who an enrollment is of, as `worker.identity.resolve` found it."""

    source: str
    user_id: int
    course_id: int


@dataclass(slots=True)
class Batch:
    """Parsed entries by kind of event, and the rejected ones."""

    enrollments: list[tuple[Entry, EnrollmentCreated]] = field(default_factory=list)
    outlines: list[tuple[Entry, CourseOutlined]] = field(default_factory=list)
    ledger_events: list[tuple[Entry, LedgerEvent | DecodedLessonEvent]] = field(default_factory=list)
    named: list[tuple[Entry, NamedEvent | DecodedNamedEvent]] = field(default_factory=list)
    """Events whose names `worker.identity.resolve` has not replaced by numbers yet."""
    rejected: list[tuple[Entry, Rejection]] = field(default_factory=list)
    dropped: list[Entry] = field(default_factory=list)
    """The entry of each invalid optional member."""
    user_course_ids: set[int] = field(default_factory=set)
    enrolling: dict[int, LearnerOfCourse] = field(default_factory=dict)
    """Enrollments to create unless they exist, because an event shows that the person is a learner of the course."""
    unknown_lessons: list[tuple[Entry, AwaitedLesson]] = field(default_factory=list)
    ignored: list[Entry] = field(default_factory=list)
    """Events of users that are not to count."""

    def add(self, entry: Entry, event: Event | DecodedLessonEvent) -> None:
        """Add an event to the list of its kind."""
        if isinstance(event, CourseOutlined):
            self.outlines.append((entry, event))
            return
        self.user_course_ids.add(event.data.user_course_id)
        if isinstance(event, EnrollmentCreated):
            self.enrollments.append((entry, event))
        elif isinstance(event, LessonReopened):
            self.ledger_events.append((entry, event.as_correction()))
        else:
            self.ledger_events.append((entry, event))

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
        for entry, named in self.named:
            yield entry, ("names", partition_key_of(named) or 0)


def parse_batch(entries: Iterable[Entry]) -> Batch:
    """Parse the entries and group them by kind."""
    batch, now = Batch(), time.time() * 1000
    for entry in entries:
        decoded = decode(entry)
        if isinstance(decoded, DecodedLessonEvent):
            batch.user_course_ids.add(decoded.data.user_course_id)
            batch.ledger_events.append((entry, decoded))
            continue
        if decoded is not None:
            batch.named.append((entry, decoded))
            continue
        dropped: list[str] = []
        try:
            event = parse_entry(entry, now, dropped)
        except Rejection as rejection:
            batch.rejected.append((entry, rejection))
            continue
        batch.dropped += [entry] * len(dropped)
        if isinstance(event, NAMED_EVENT_TYPES):
            batch.named.append((entry, event))
        else:
            batch.add(entry, event)
    return batch
