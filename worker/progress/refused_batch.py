"""What `ingest` does after PostgreSQL refused a batch: apply the good entries, and decide about each of the others."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.contract.batch import parse_batch
from worker.contract.entry import Entry
from worker.database.failures import is_missing_reference
from worker.progress import reasons
from worker.progress.bisect import split
from worker.progress.dead_letters import DeadLetter
from worker.progress.everything_refused import EverythingRefusedError, Refusals
from worker.progress.outcome import REFUSED, Outcome

Commit = Callable[[Sequence[Entry]], Outcome]
"""Record these entries and commit."""
Store = Callable[[Sequence[DeadLetter]], Outcome]
"""Store these dead letters and commit."""


class Ingest(Protocol):
    """Ingest these entries on their own, with their own judgment of refusals."""

    def __call__(self, entries: Sequence[Entry], /, *, final: bool, careful: bool = False) -> Outcome:
        """Return what became of them."""


def isolate(
    engine: Engine,
    entries: Sequence[Entry],
    error: DBAPIError,
    commit: Commit,
    ingest: Ingest,
    store: Store,
    *,
    final: bool,
    careful: bool,
) -> Outcome:
    """Record the entries piece by piece after committing all of them failed with this error.

    Refusals are judged by kind, enrollments and other events: see `Refusals`. Raises errors that are not the data's.
    """
    refusals = {kind: Refusals[Entry](final=final, may_wait=True) for kind in (False, True)}

    def work(part: Sequence[Entry]) -> Outcome:
        done = commit(part)
        if done.recorded:
            refusals[False].accept()
        if done.enrolled:
            refusals[True].accept()
        return done

    def refuse(entry: Entry, error: DBAPIError) -> Outcome:
        if is_missing_reference(error):
            return store([reasons.refused(entry, error)])
        refusals[_enrolls(entry)].add(entry, error)
        return Outcome()

    def defer(part: Sequence[Entry]) -> Outcome:
        batch = parse_batch(part)
        return store(reasons.rejected(batch)) + Outcome(deferred=list(batch.targets()))

    try:
        outcome = split(engine, entries, error, work, refuse, defer)
    except EverythingRefusedError as refused:
        kind = refusals[True].undecided
        outcome = Outcome(
            deferred=[(entry, REFUSED) for entry in entries if _enrolls(entry) == kind], everything_refused=str(refused)
        )
        others = [entry for entry in entries if _enrolls(entry) != kind]
        if others and len(others) < len(entries):
            outcome += ingest(others, final=final, careful=careful)
        return outcome
    for each in refusals.values():
        outcome += _judge(each, ingest, store)
    return outcome


def _judge(refusals: Refusals[Entry], ingest: Ingest, store: Store) -> Outcome:
    """Dead-letter the entries to blame; try again those refused before anything was accepted."""
    if refusals.undecided:
        return Outcome(deferred=[(entry, REFUSED) for entry, _ in refusals.found], everything_refused=refusals.message)
    outcome = Outcome()
    if early := [entry for entry, _ in refusals.found[: refusals.early]]:
        outcome += ingest(early, final=True)
    for entry, error in refusals.found[refusals.early :]:
        outcome += store([reasons.refused(entry, error)])
    return outcome


def _enrolls(entry: Entry) -> bool:
    return b'"enrollment.created"' in (entry.body or b"")
