"""Record a batch of stream entries in PostgreSQL: one transaction, a fixed number of statements, whatever the size.

Read this file first. The rows are the same in any order, for any split into batches and after any repetition. When
`ingest` returns, every entry is applied, in `dead_letter` or deferred; all but the deferred ones are committed and may
be acknowledged. When it raises, nothing may be acknowledged; parts may be committed, and recording them again changes
nothing.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from worker.contract.batch import Batch, Target, parse_batch
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent
from worker.database.failures import Failure, classify, is_lock_timeout
from worker.identity.resolve import resolve
from worker.progress import dead_letters, enrollments, identity_conflicts, outlines, reasons, record, ties
from worker.progress.auto_enrollment import auto_enrollments
from worker.progress.bisect import is_any_table_locked
from worker.progress.commits import Commits
from worker.progress.dead_letters import DeadLetter
from worker.progress.outcome import Outcome
from worker.progress.reference import Recorded
from worker.progress.refused_batch import isolate

AWAIT_SECONDS = 0.2
"""How long to wait for a busy row: some tens of ordinary transactions. Other events wait meanwhile."""
CAREFUL_SECONDS = 0.2
"""How long to look for new enrollments that a lock holds up."""


def ingest(
    engine: Engine,
    entries: Sequence[Entry],
    *,
    batch: Batch | None = None,
    seen_before: bool = False,
    final: bool = False,
    careful: bool = False,
    commits: Commits | None = None,
) -> Outcome:
    """Record the entries and commit. An entry that PostgreSQL refuses is dead-lettered alone; the others are applied.

    Entries that would change a row locked by another session are deferred without waiting (docs/decisions/0011), and so
    are all while PostgreSQL refuses everything, unless `final`. Other database errors are raised.

    `batch`: the entries, if they are parsed already. `seen_before`: see `record_batch`. `careful`: look for locks that
    only waiting reveals before waiting for them. `commits` remembers what was committed; raises CommitsLostError.
    """

    def commit(part: Sequence[Entry], parsed: Batch | None = None) -> Outcome:
        its = parsed or parse_batch(part)
        return _commit(engine, part, its, seen_before=seen_before, careful=careful, commits=commits)

    try:
        return commit(entries, batch)
    except DBAPIError as error:
        again = partial(ingest, engine, seen_before=seen_before, commits=commits)
        store = partial(store_dead_letters, engine, commits=commits)
        return isolate(engine, entries, error, commit, again, store, final=final, careful=careful)


def ingest_awaiting(engine: Engine, entries: Sequence[Entry], user_course_id: int, commits: Commits) -> Outcome:
    """Record entries of one enrollment whose row is locked again and again: wait briefly for it, holding no other.

    Entries that still find it locked, or that PostgreSQL refuses, are deferred once more.
    """
    try:
        batch = parse_batch(entries)
        return _commit(engine, entries, batch, seen_before=True, commits=commits, awaited=user_course_id)
    except DBAPIError as error:
        if not is_lock_timeout(error) and classify(error) is not Failure.DATA:
            raise
        return Outcome(deferred=[(entry, ("enrollment", user_course_id)) for entry in entries])


def store_dead_letters(engine: Engine, found: Sequence[DeadLetter], *, commits: Commits | None = None) -> Outcome:
    """Store these dead letters and commit."""
    if found:
        with _transaction(engine, commits) as connection:
            dead_letters.store_dead_letters(connection, found)
            if commits:
                commits.note(connection, [dead_letter.entry for dead_letter in found])
    return Outcome(dead_letters=list(found))


def store_dead_letter(
    engine: Engine, entry: Entry, reason: Reason, detail: str, commits: Commits | None = None
) -> Outcome:
    """Store the entry as a dead letter as it is and commit."""
    return store_dead_letters(engine, [DeadLetter(entry, reason, Rejection(reason, detail).detail)], commits=commits)


def _commit(
    engine: Engine,
    entries: Sequence[Entry],
    batch: Batch,
    *,
    seen_before: bool,
    commits: Commits | None,
    careful: bool = False,
    awaited: int | None = None,
) -> Outcome:
    if batch.named:
        resolve(engine, batch)

    def work(held: list[tuple[Entry, Target]], *, careful: bool) -> Outcome:
        with _transaction(engine, commits) as connection:
            if awaited is not None:
                enrollments.wait_for_enrollment(connection, awaited, AWAIT_SECONDS)
            done = record_batch(connection, entries, batch, seen_before=seen_before, careful=careful)
            done.deferred += held
            if commits:
                commits.note(connection, done.settled(entries), in_order=not seen_before)
        return done

    held: list[tuple[Entry, Target]] = []
    try:
        return work(held, careful=careful)
    except outlines.OutlinesHeldError:
        held = batch.take_outlines()
    except OperationalError as error:
        if careful or awaited is not None or not is_lock_timeout(error) or is_any_table_locked(engine):
            raise
        careful = True
    return work(held, careful=careful)


@contextmanager
def _transaction(engine: Engine, commits: Commits | None) -> Iterator[Connection]:
    with engine.begin() as connection:
        yield connection
    if commits:
        commits.keep()


def record_batch(
    connection: Connection,
    entries: Sequence[Entry],
    batch: Batch | None = None,
    *,
    seen_before: bool = False,
    careful: bool = False,
) -> Outcome:
    """Record the entries in the caller's transaction; those that cannot be applied become dead letters.

    `batch`: the entries, parsed and their names resolved; without it they must have no names.
    `seen_before`: they were delivered or dead-lettered earlier, so the dead letter of one applied now is deleted.
    """
    outcome = apply(connection, batch or parse_batch(entries), careful=careful)
    if outcome.dead_letters:
        dead_letters.store_dead_letters(connection, outcome.dead_letters)
    if seen_before:
        left = {dead_letter.entry for dead_letter in outcome.dead_letters} | {entry for entry, _ in outcome.deferred}
        dead_letters.delete_dead_letters(connection, [entry for entry in entries if entry not in left])
    return outcome


def apply(connection: Connection, batch: Batch, *, careful: bool = False) -> Outcome:
    """Apply the batch in the caller's transaction. What cannot be applied is in the outcome, and stored nowhere.

    Order of locks: outlines, the enrollments that no other session holds, then new enrollments by id; only then is
    anything else written. Whatever is locked is deferred, so no two sessions wait for each other and none computes from
    stale rows. `careful`: see `ingest`.
    """
    assert not batch.named, "resolve names before the transaction"  # noqa: S101 - they would be lost
    outcome = Outcome(dead_letters=reasons.rejected(batch), ignored=len(batch.ignored))
    if batch.outlines:
        batch.outlines.sort(key=_arrival)
        arrived = [(event, entry.arrival) for entry, event in batch.outlines]
        _count(outcome, batch.outlines, outlines.record_outlines(connection, arrived))
    known, held = _lock_enrollments(connection, batch, outcome, careful=careful)
    if careful and (busy := record.held_enrollments(connection, [event for _, event in batch.ledger_events])):
        outcome.met_locks = True
        known, held = known - busy, held | (known & busy)
    free: list[tuple[Entry, LedgerEvent | DecodedLessonEvent]] = []
    for entry, event in batch.ledger_events:
        user_course_id = event.data.user_course_id
        if user_course_id in known:
            free.append((entry, event))
        elif user_course_id in held:
            outcome.deferred.append((entry, ("enrollment", user_course_id)))
        else:
            outcome.dead_letters.append(reasons.unknown_enrollment(entry, user_course_id))
    if free:
        _record_events(connection, free, outcome)
    if batch.dropped:
        left = {entry for entry, _ in outcome.deferred} | {dead_letter.entry for dead_letter in outcome.dead_letters}
        outcome.dropped = sum(entry not in left for entry in batch.dropped)
    return outcome


def _lock_enrollments(
    connection: Connection, batch: Batch, outcome: Outcome, *, careful: bool
) -> tuple[set[int], set[int]]:
    """Lock the batch's enrollments and create new ones; return those locked here and those that others hold."""
    ids = batch.user_course_ids
    known = enrollments.lock_enrollments(connection, ids) if ids else set()
    batch.enrollments.sort(key=_arrival)
    if (batch.enrollments or batch.enrolling) and len(known) < len(ids):
        new = [event for _, event in batch.enrollments if event.data.user_course_id not in known]
        new += auto_enrollments(batch.enrolling, known)
        if careful:
            outcome.enrolled = enrollments.insert_free(connection, new, time.monotonic() + CAREFUL_SECONDS)
        elif new:
            outcome.enrolled = enrollments.insert_enrollments(connection, new)
        outcome.met_locks = careful and len(outcome.enrolled) < len({event.data.user_course_id for event in new})
        known.update(outcome.enrolled)
    held = enrollments.existing_enrollments(connection, ids - known) if len(known) < len(ids) else set()
    if created := [(entry, event) for entry, event in batch.enrollments if event.data.user_course_id in known]:
        arrived = [(event, entry.arrival) for entry, event in created]
        _count(outcome, created, enrollments.record_enrollments(connection, arrived, outcome.enrolled))
    outcome.deferred += [
        (entry, ("enrollment", event.data.user_course_id))
        for entry, event in batch.enrollments
        if event.data.user_course_id not in known
    ]
    return known, held


def _record_events(
    connection: Connection, free: Sequence[tuple[Entry, LedgerEvent | DecodedLessonEvent]], outcome: Outcome
) -> None:
    events = [event for _, event in free]
    recorded = record.record_events(connection, events)
    if recorded.corrected:
        record.recompute_corrected(connection, recorded.corrected)
    if recorded.tied:
        ties.settle_ties(connection, recorded.tied)
    unlike = identity_conflicts.identity_conflicts(connection, events) if recorded.count < len(events) else []
    outcome.dead_letters += [reasons.identity_conflict(*free[number]) for number in unlike]
    outcome.recorded = recorded.count
    outcome.applied += recorded.count
    outcome.repeated += len(events) - recorded.count - len(unlike)


def _count(
    outcome: Outcome,
    events: Sequence[tuple[Entry, EnrollmentCreated]] | Sequence[tuple[Entry, CourseOutlined]],
    found: Sequence[Recorded],
) -> None:
    outcome.snapshots |= {entry: each for (entry, _), each in zip(events, found, strict=True)}
    outcome.applied += found.count(Recorded.APPLIED)
    outcome.repeated += found.count(Recorded.REPEATED)
    outcome.superseded += found.count(Recorded.SUPERSEDED)
    for (entry, event), each in zip(events, found, strict=True):
        if each is Recorded.IDENTITY_CONFLICT:
            outcome.dead_letters.append(reasons.identity_conflict(entry, event))
        elif each is Recorded.ENROLLMENT_CONFLICT and isinstance(event, EnrollmentCreated):
            outcome.dead_letters.append(reasons.enrollment_conflict(entry, event))


def _arrival(each: tuple[Entry, object]) -> int:
    return each[0].arrival
