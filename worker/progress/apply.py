"""Apply a batch in a transaction: outlines, enrollments, then lesson events and corrections, under the rows' locks."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection

from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import CloudEvent, CourseOutlined, EnrollmentCreated, LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent
from worker.progress import enrollments as enrollment
from worker.progress import identity_conflicts as conflicts
from worker.progress import outlines as outline
from worker.progress import record, ties
from worker.progress.batch import Batch
from worker.progress.dead_letters import DeadLetter
from worker.progress.outcome import Outcome
from worker.progress.reference import Recorded

CAREFUL_SECONDS = 0.2
"""How long new enrollments are told apart from those that somebody holds up."""


def apply(connection: Connection, batch: Batch, *, careful: bool = False) -> Outcome:
    """Apply the batch in the caller's transaction; the outcome's letters, which are not stored here, are the rest.

    After the outlines the batch's enrollments are locked, those that nobody else holds, then new ones are inserted in
    id order, and only then is anything else written. What others hold is deferred, so no two sessions wait for each
    other, and none counts from stale rows. `careful`: see `ingest`.
    """
    outcome = Outcome(dead_letters=list(batch.dead_letters))
    if batch.outlines:
        batch.outlines.sort(key=_arrival)
        arrived = [(event, entry.arrival) for entry, event in batch.outlines]
        _count(outcome, batch.outlines, outline.record_outlines(connection, arrived))
    ids = batch.user_course_ids
    known = enrollment.lock_enrollments(connection, ids) if ids else set()
    batch.enrollments.sort(key=_arrival)
    if batch.enrollments and len(known) < len(ids):
        new = [event for _, event in batch.enrollments if event.data.user_course_id not in known]
        outcome.enrolled = _enroll(connection, new, careful=careful)
        outcome.met_locks = careful and len(outcome.enrolled) < len({event.data.user_course_id for event in new})
        known.update(outcome.enrolled)
    held = enrollment.existing_enrollments(connection, ids - known) if len(known) < len(ids) else set()
    if told := [(entry, event) for entry, event in batch.enrollments if event.data.user_course_id in known]:
        arrived_enrollments = [(event, entry.arrival) for entry, event in told]
        _count(outcome, told, enrollment.record_enrollments(connection, arrived_enrollments, outcome.enrolled))
    outcome.deferred += [
        (entry, ("enrollment", event.data.user_course_id))
        for entry, event in batch.enrollments
        if event.data.user_course_id not in known
    ]
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
            outcome.dead_letters.append(_parked(entry, event))
    if free:
        _record_events(connection, free, outcome)
    if batch.dropped:
        left = {entry for entry, _ in outcome.deferred} | {letter.entry for letter in outcome.dead_letters}
        outcome.dropped = sum(entry not in left for entry in batch.dropped)
    return outcome


def _record_events(
    connection: Connection, free: Sequence[tuple[Entry, LedgerEvent | DecodedLessonEvent]], outcome: Outcome
) -> None:
    events = [event for _, event in free]
    recorded = record.record_events(connection, events)
    if recorded.corrected:
        record.recompute_corrected(connection, recorded.corrected)
    if recorded.tied:
        ties.settle_ties(connection, recorded.tied)
    unlike = conflicts.identity_conflicts(connection, events) if recorded.count < len(events) else []
    outcome.dead_letters += [_conflict(*free[number]) for number in unlike]
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
            outcome.dead_letters.append(_conflict(entry, event))
        elif each is Recorded.ENROLLMENT_CONFLICT and isinstance(event, EnrollmentCreated):
            outcome.dead_letters.append(
                DeadLetter(
                    entry,
                    Reason.ENROLLMENT_CONFLICT,
                    f"enrollment {event.data.user_course_id} is another user's, not {event.data.user_id}'s: "
                    "give a new enrollment an id of its own",
                )
            )


def _arrival(each: tuple[Entry, object]) -> int:
    return each[0].arrival


def _enroll(connection: Connection, new: Sequence[EnrollmentCreated], *, careful: bool) -> list[int]:
    if careful:
        return enrollment.insert_free(connection, new, time.monotonic() + CAREFUL_SECONDS)
    return enrollment.insert_enrollments(connection, new) if new else []


def _conflict(entry: Entry, event: CloudEvent | DecodedLessonEvent) -> DeadLetter:
    return DeadLetter(
        entry,
        Reason.IDENTITY_CONFLICT,
        Rejection(
            Reason.IDENTITY_CONFLICT,
            f"another event is recorded as {event.event_id} (id {event.id}): give each event an id of its own",
        ).detail,
    )


def _parked(entry: Entry, event: LedgerEvent | DecodedLessonEvent) -> DeadLetter:
    user_course_id = event.data.user_course_id
    return DeadLetter(entry, Reason.UNKNOWN_ENROLLMENT, f"enrollment {user_course_id} is not known yet", user_course_id)
