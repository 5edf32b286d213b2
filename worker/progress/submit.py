"""Apply events while their sender waits, and return a verdict on each.

The same rules and statements as for the streams (`worker/progress/ingest.py`), but a rejected event is reported to the
sender and leaves nothing behind: neither a dead letter nor a parked event.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.contract.batch import Batch, parse_batch
from worker.contract.entry import Entry, Reason
from worker.database.failures import is_lock_timeout
from worker.errors import LockedError
from worker.identity.resolve import resolve
from worker.progress import enrollments, ledger_lookups
from worker.progress.bisect import bisect
from worker.progress.ingest import apply
from worker.progress.outcome import Outcome
from worker.progress.reasons import refused
from worker.progress.redrive import apply_parked

LOCK_SECONDS = 5.0
"""Maximum wait for locked enrollments."""


class _HeldError(Exception):
    """Another session has locked this enrollment."""

    def __init__(self, user_course_id: int) -> None:
        super().__init__(user_course_id)
        self.user_course_id = user_course_id


LARGE_BYTES = 128 * 1024
"""Size of a batch, some hundreds of usual events, above which parsing would noticeably delay other requests."""


class Result(StrEnum):
    """The result of an event."""

    APPLIED = "applied"
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one entry, with a reason if it was rejected."""

    result: Result
    reason: Reason | None = None
    detail: str | None = None


@dataclass(slots=True)
class Submitted:
    """The verdicts, in the order of the entries, and the enrollments they created."""

    verdicts: list[Verdict]
    enrolled: list[int] = field(default_factory=list)

    def __add__(self, other: "Submitted") -> "Submitted":
        """Return both, in order."""
        return Submitted(self.verdicts + other.verdicts, self.enrolled + other.enrolled)


def submit(engine: Engine, entries: Sequence[Entry]) -> list[Verdict]:
    """Apply the entries, with distinct ids, in one transaction and commit; return a verdict on each, in order.

    An entry that PostgreSQL refuses is rejected alone. Then apply, in separate transactions, events parked for the new
    enrollments. Waits up to LOCK_SECONDS for locked enrollments, then raises LockedError or PostgreSQL's lock timeout.
    After an error submit the same events again: nothing counts twice.
    """
    give_up_at = time.monotonic() + LOCK_SECONDS

    def work(part: Sequence[Entry]) -> Submitted:
        while True:
            batch = parse_batch(part)
            resolve(engine, batch)
            try:
                with engine.begin() as connection:
                    return judge(connection, part, batch)
            except _HeldError as held:
                if time.monotonic() >= give_up_at or not _is_free_now(engine, held.user_course_id):
                    raise LockedError(f"Another session has enrollment {held} locked. Try again.") from None

    # Enrollments first: splitting the batch to find a refused entry must not separate an event from its enrollment.
    ordered = sorted(entries, key=lambda entry: b'"enrollment.created"' not in (entry.body or b""))
    done = bisect(engine, ordered, work, _refused, _locked) if entries else Submitted([])
    apply_parked(engine, done.enrolled)
    verdicts = dict(zip(ordered, done.verdicts, strict=True))
    return [verdicts[entry] for entry in entries]


def judge(connection: Connection, entries: Sequence[Entry], batch: Batch) -> Submitted:
    """Apply the entries, parsed and resolved, in the caller's transaction.

    Raises if another session holds an enrollment; roll back then.
    """
    outcome = apply(connection, batch)
    for _, (_, user_course_id) in outcome.deferred:
        raise _HeldError(user_course_id)
    return Submitted(_verdicts(connection, entries, batch, outcome), outcome.enrolled)


def _verdicts(connection: Connection, entries: Sequence[Entry], batch: Batch, outcome: Outcome) -> list[Verdict]:
    dead_letters = {dead_letter.entry: dead_letter for dead_letter in outcome.dead_letters}
    keys = {entry: (event.data.user_course_id, event.event_id) for entry, event in batch.ledger_events}
    new = ledger_lookups.recorded_now(connection, keys.values()) if keys else set()
    ignored = set(batch.ignored)
    verdicts = []
    for entry in entries:
        dead_letter, key = dead_letters.get(entry), keys.get(entry)
        if dead_letter is not None:
            verdicts.append(Verdict(Result.REJECTED, dead_letter.reason, dead_letter.detail))
        elif entry in ignored:
            verdicts.append(Verdict(Result.IGNORED))
        elif key is None:
            verdicts.append(Verdict(Result(outcome.snapshots[entry])))
        elif key in new:
            verdicts.append(Verdict(Result.APPLIED))
            new.remove(key)  # the same event again in one batch is a repetition
        else:
            verdicts.append(Verdict(Result.REPEATED))
    return verdicts


def _is_free_now(engine: Engine, user_course_id: int) -> bool:
    """Wait up to `lock_timeout` for the enrollment's lock, holding none; return whether it is free."""
    try:
        with engine.begin() as connection:
            enrollments.wait_for_enrollment(connection, user_course_id)
    except DBAPIError as error:
        if not is_lock_timeout(error):
            raise
        return False
    return True


def _locked(_: Sequence[Entry]) -> Submitted:
    raise LockedError("Another session has rows locked that these events would change. Try again.")


def _refused(entry: Entry, error: DBAPIError) -> Submitted:
    dead_letter = refused(entry, error)
    return Submitted([Verdict(Result.REJECTED, dead_letter.reason, dead_letter.detail)])


def arriving(bodies: Iterable[bytes], at: datetime) -> list[Entry]:
    """Return events as entries of no stream that arrived at a time by PostgreSQL's or Redis' clock."""
    milliseconds = int(at.timestamp() * 1000)
    return [Entry("", f"{milliseconds}-{number}", body) for number, body in enumerate(bodies)]
