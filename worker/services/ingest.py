"""Record a batch of stream entries in PostgreSQL: one transaction, a fixed number of statements, whatever the size.

Read this file first. A batch may come in any order, again, or in other pieces: the rows are the same. When `ingest`
returns, every entry is applied or stands in `dead_letter`, committed, and may be acknowledged. When it raises, nothing
may be acknowledged; some pieces may be committed, and recording them again changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from worker.domain.entry import Entry, Reason, Rejection, parse
from worker.domain.event import CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.domain.fast_path import DecodedLessonEvent, decode
from worker.services.bisect import bisect
from worker.services.commits import Commits
from worker.services.outcome import Outcome
from worker.storage import dead_letter, enrollment, ledger, outline
from worker.storage.dead_letter import Letter


def ingest(
    engine: Engine,
    entries: Sequence[Entry],
    *,
    batch: "Batch | None" = None,
    seen_before: bool = False,
    commits: Commits | None = None,
) -> Outcome:
    """Record the entries and commit. One that PostgreSQL itself refuses is set aside alone, its neighbours are applied.

    Any database error that is not the data's fault is raised. `batch` is the entries, where they are sorted already;
    `seen_before`: see `record`. `commits` remembers what was committed, and raises CommitsLostError.
    """

    def work(part: Sequence[Entry]) -> Outcome:
        with engine.begin() as connection:
            outcome = record(connection, part, batch=batch if part is entries else None, seen_before=seen_before)
            if commits:
                commits.note(connection, part)
        if commits:
            commits.keep()
        return outcome

    return bisect(entries, work, lambda entry, why: set_aside(engine, entry, Reason.DATA_ERROR, why, commits))


def set_aside(engine: Engine, entry: Entry, reason: Reason, detail: str, commits: Commits | None = None) -> Outcome:
    """Put the entry into `dead_letter` as it is and commit. `commits`: see `ingest`."""
    letter = Letter(entry, reason, Rejection(reason, detail).detail)
    with engine.begin() as connection:
        dead_letter.put_letters(connection, [letter])
        if commits:
            commits.note(connection, [entry])
    if commits:
        commits.keep()
    return Outcome(letters=[letter])


def record(
    connection: Connection, entries: Sequence[Entry], *, batch: "Batch | None" = None, seen_before: bool = False
) -> Outcome:
    """Record the entries in the caller's transaction: what cannot be applied goes into `dead_letter`.

    `seen_before` says that they were delivered or set aside earlier: a letter of one that is applied now is deleted.
    """
    outcome = apply(connection, batch or sort(entries))
    if outcome.letters:
        dead_letter.put_letters(connection, outcome.letters)
    if seen_before:
        aside = {letter.entry for letter in outcome.letters}
        dead_letter.delete_letters(connection, [entry for entry in entries if entry not in aside])
    return outcome


@dataclass(slots=True)
class Batch:
    """Parsed entries, each where its kind is handled."""

    enrollments: list[EnrollmentCreated] = field(default_factory=list)
    outlines: list[CourseOutlined] = field(default_factory=list)
    ledger_events: list[tuple[Entry, LedgerEvent | DecodedLessonEvent]] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    user_course_ids: set[int] = field(default_factory=set)


def sort(entries: Iterable[Entry]) -> Batch:
    """Parse each entry and put it where its kind is handled."""
    batch = Batch()
    for entry in entries:
        lesson_event = decode(entry)
        if lesson_event is not None:
            batch.user_course_ids.add(lesson_event.data.user_course_id)
            batch.ledger_events.append((entry, lesson_event))
            continue
        try:
            event = parse(entry)
        except Rejection as rejection:
            batch.letters.append(Letter(entry, rejection.reason, rejection.detail))
            continue
        if isinstance(event, CourseOutlined):
            batch.outlines.append(event)
            continue
        batch.user_course_ids.add(event.data.user_course_id)
        if isinstance(event, EnrollmentCreated):
            batch.enrollments.append(event)
        else:
            batch.ledger_events.append((entry, event))
    return batch


def apply(connection: Connection, batch: Batch) -> Outcome:
    """Apply the batch in the caller's transaction; the outcome's letters, which are not stored here, are the rest.

    New enrolments are inserted in id order, then all of the batch's enrolments are locked in id order, and only then is
    anything else written: so no two batches deadlock or count from stale rows.
    """
    outcome = Outcome(letters=batch.letters)
    if batch.enrollments:
        outcome.enrolled = enrollment.insert_enrollments(connection, batch.enrollments)
    known = enrollment.lock_enrollments(connection, batch.user_course_ids) if batch.user_course_ids else set()
    if batch.enrollments:
        enrollment.update_enrollments(connection, batch.enrollments)
    if batch.outlines:
        outline.replace_outlines(connection, batch.outlines)
    outcome.applied = len(batch.enrollments) + len(batch.outlines)

    events = []
    for entry, event in batch.ledger_events:
        if event.data.user_course_id in known:
            events.append(event)
        else:
            outcome.letters.append(_parked(entry, event))
    if events:
        recorded = ledger.record_events(connection, events)
        if recorded.corrected:
            ledger.recompute_corrected(connection, recorded.corrected)
        outcome.applied += recorded.count
        outcome.repeated = len(events) - recorded.count
    return outcome


def _parked(entry: Entry, event: LedgerEvent | DecodedLessonEvent) -> Letter:
    user_course_id = event.data.user_course_id
    return Letter(entry, Reason.UNKNOWN_ENROLLMENT, f"enrolment {user_course_id} is not known yet", user_course_id)
