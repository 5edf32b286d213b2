"""Parse a batch of entries: nearly all on the fast path, the rest against the contract's models."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from worker.contract.entry import Entry, Rejection
from worker.contract.event import CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent, decode
from worker.contract.parse import parse_entry

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
