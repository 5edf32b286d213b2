"""Apply events while their sender waits, and say of each what became of it.

The same rules and statements as for the streams (`worker/services/ingest.py`), but what cannot be applied is told to
the sender and leaves nothing behind: neither a dead letter nor a parked event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine

from worker.domain.entry import Entry, Reason, Rejection
from worker.services.bisect import bisect
from worker.services.ingest import Batch, apply, sort
from worker.services.outcome import Outcome
from worker.services.redrive import apply_parked
from worker.storage import history

LARGE_BYTES = 128 * 1024
"""Of a batch: to parse a larger one takes so long that others notice; it is some hundreds of usual events."""


class Result(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one entry; a reason only where it was rejected."""

    result: Result
    reason: Reason | None = None
    detail: str | None = None


@dataclass(slots=True)
class Submitted:
    """The verdicts, in the order of the entries, and the enrolments that they created."""

    verdicts: list[Verdict]
    enrolled: list[int] = field(default_factory=list)

    def __add__(self, other: "Submitted") -> "Submitted":
        """Of both, in order."""
        return Submitted(self.verdicts + other.verdicts, self.enrolled + other.enrolled)


def submit(engine: Engine, entries: Sequence[Entry]) -> list[Verdict]:
    """Apply the entries, of distinct ids, in one transaction and commit; a verdict on each, in order.

    One that PostgreSQL itself refuses is rejected alone. Then, in transactions of their own, whatever the streams have
    parked for new enrolments. After an error submit the same events again: nothing counts twice.
    """

    def work(part: Sequence[Entry]) -> Submitted:
        with engine.begin() as connection:
            return judge(connection, part)

    # Enrolments first: should the batch be split to find what is refused, no event is parted from its enrolment.
    ordered = sorted(entries, key=lambda entry: b'"enrollment.created"' not in (entry.body or b""))
    done = bisect(ordered, work, _refused) if entries else Submitted([])
    apply_parked(engine, done.enrolled)
    verdicts = dict(zip(ordered, done.verdicts, strict=True))
    return [verdicts[entry] for entry in entries]


def judge(connection: Connection, entries: Sequence[Entry]) -> Submitted:
    """Apply the entries in the caller's transaction."""
    batch = sort(entries)
    outcome = apply(connection, batch)
    return Submitted(_verdicts(connection, entries, batch, outcome), outcome.enrolled)


def _verdicts(connection: Connection, entries: Sequence[Entry], batch: Batch, outcome: Outcome) -> list[Verdict]:
    refused = {letter.entry: letter for letter in outcome.letters}
    keys = {entry: (event.data.user_course_id, event.event_id) for entry, event in batch.ledger_events}
    new = history.recorded_now(connection, keys.values()) if keys else set()
    verdicts = []
    for entry in entries:
        letter, key = refused.get(entry), keys.get(entry)
        if letter is not None:
            verdicts.append(Verdict(Result.REJECTED, letter.reason, letter.detail))
        elif key is None:
            verdicts.append(Verdict(Result.APPLIED))
        elif key in new:
            verdicts.append(Verdict(Result.APPLIED))
            new.remove(key)  # the same event once more in one batch repeats it
        else:
            verdicts.append(Verdict(Result.REPEATED))
    return verdicts


def _refused(_: Entry, why: str) -> Submitted:
    detail = Rejection(Reason.DATA_ERROR, why).detail
    return Submitted([Verdict(Result.REJECTED, Reason.DATA_ERROR, detail)])


def arriving(bodies: Iterable[bytes], at: datetime) -> list[Entry]:
    """Events as entries of no stream, arrived then by the clock of PostgreSQL or Redis."""
    milliseconds = int(at.timestamp() * 1000)
    return [Entry("", f"{milliseconds}-{number}", body) for number, body in enumerate(bodies)]
