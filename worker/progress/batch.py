"""A batch of stream entries: parsed, each event where its kind is handled, and letters of what is wrong."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from worker.contract.entry import Entry, Rejection, parse
from worker.contract.event import CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent, decode
from worker.progress.dead_letters import DeadLetter
from worker.progress.outcome import Held


@dataclass(slots=True)
class Batch:
    """Parsed entries, each where its kind is handled."""

    enrollments: list[tuple[Entry, EnrollmentCreated]] = field(default_factory=list)
    outlines: list[tuple[Entry, CourseOutlined]] = field(default_factory=list)
    ledger_events: list[tuple[Entry, LedgerEvent | DecodedLessonEvent]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    dropped: list[Entry] = field(default_factory=list)
    """Of each optional member that was not valid its entry."""
    user_course_ids: set[int] = field(default_factory=set)

    def take_outlines(self) -> list[tuple[Entry, Held]]:
        """Take the outlines out: their entries, and the course of each."""
        taken = [(entry, ("course", event.data.course_id)) for entry, event in self.outlines]
        self.outlines.clear()
        return taken


def sort(entries: Iterable[Entry]) -> Batch:
    """Parse each entry and put it where its kind is handled."""
    batch, now = Batch(), time.time() * 1000
    for entry in entries:
        lesson_event = decode(entry)
        if lesson_event is not None:
            batch.user_course_ids.add(lesson_event.data.user_course_id)
            batch.ledger_events.append((entry, lesson_event))
            continue
        names: list[str] = []
        try:
            event = parse(entry, now, names)
        except Rejection as rejection:
            batch.dead_letters.append(DeadLetter(entry, rejection.reason, rejection.detail))
            continue
        batch.dropped += [entry] * len(names)
        if isinstance(event, CourseOutlined):
            batch.outlines.append((entry, event))
            continue
        batch.user_course_ids.add(event.data.user_course_id)
        if isinstance(event, EnrollmentCreated):
            batch.enrollments.append((entry, event))
        else:
            batch.ledger_events.append((entry, event))
    return batch


def targets(batch: Batch) -> Iterator[tuple[Entry, Held]]:
    """Each entry of the batch but the letters, with what it would change and so may find locked."""
    for entry, outlined in batch.outlines:
        yield entry, ("course", outlined.data.course_id)
    for entry, event in chain(batch.enrollments, batch.ledger_events):
        yield entry, ("enrollment", event.data.user_course_id)
