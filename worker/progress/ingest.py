"""Record a batch of stream entries in PostgreSQL: one transaction, a fixed number of statements, whatever the size.

Read this file first. A batch may come in any order, again, or in other pieces: the rows are the same. When `ingest`
returns, every entry is applied or stands in `dead_letter`, committed, and may be acknowledged, but for those that it
deferred. When it raises, nothing may be acknowledged; some pieces may be committed, and recording them again changes
nothing.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from worker.contract.entry import Entry, Reason, Rejection
from worker.database.failures import Failure, classify, is_lock_timeout, is_missing_reference, missing_reference
from worker.errors import first_line
from worker.progress import dead_letters, enrollments, outlines
from worker.progress.apply import apply
from worker.progress.batch import Batch, sort, targets
from worker.progress.bisect import bisect, is_any_table_locked
from worker.progress.commits import Commits
from worker.progress.dead_letters import DeadLetter
from worker.progress.outcome import REFUSED, Held, Outcome
from worker.progress.refusals import EverythingRefusedError, Refusals

AWAIT_SECONDS = 0.2
"""How long a busy row is waited for: some tens of ordinary transactions. Others' events wait meanwhile."""


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
    """Record the entries and commit. One that PostgreSQL itself refuses is set aside alone, its neighbors are applied.

    What would change something that another session keeps locked is deferred: left as it was, waiting for nobody
    (docs/decisions/0011); and so is what is refused together with everything else, unless `final`. Any database error
    that is not the data's fault is raised. `batch` is the entries, where they are sorted already; `seen_before`: see
    `record`. `careful`: look for locks that only waiting shows before waiting for them; without it that begins with the
    first that was waited for in vain. `commits` remembers what was committed, and raises CommitsLostError.
    """
    refusals = {kind: Refusals[Entry](final=final, may_wait=True) for kind in (False, True)}

    def work(part: Sequence[Entry]) -> Outcome:
        its = batch if batch and part is entries else sort(part)
        done = _record(engine, part, its, seen_before=seen_before, careful=careful, commits=commits)
        if done.recorded:
            refusals[False].accept()
        if done.enrolled:
            refusals[True].accept()
        return done

    def refuse(entry: Entry, error: DBAPIError) -> Outcome:
        if is_missing_reference(error):
            return _put(engine, refused(entry, error), commits)
        refusals[_enrolls(entry)].add(entry, error)
        return Outcome()

    try:
        outcome = bisect(engine, entries, work, refuse, lambda part: _defer(engine, part, commits))
    except EverythingRefusedError as error:
        kind = refusals[True].undecided
        outcome = Outcome(
            deferred=[(entry, REFUSED) for entry in entries if _enrolls(entry) == kind], everything_refused=str(error)
        )
        others = [entry for entry in entries if _enrolls(entry) != kind]
        if others and len(others) < len(entries):
            outcome += ingest(engine, others, seen_before=seen_before, final=final, careful=careful, commits=commits)
        return outcome
    for each in refusals.values():
        outcome += _judge(engine, each, seen_before=seen_before, commits=commits)
    return outcome


def ingest_awaiting(engine: Engine, entries: Sequence[Entry], user_course_id: int, commits: Commits) -> Outcome:
    """Record entries of one enrollment whose row others take by turns: wait for it a moment, holding no other.

    What it does not get, or PostgreSQL refuses, is deferred once more.
    """
    try:
        return _record(engine, entries, sort(entries), seen_before=True, commits=commits, awaited=user_course_id)
    except DBAPIError as error:
        if not is_lock_timeout(error) and classify(error) is not Failure.DATA:
            raise
        return Outcome(deferred=[(entry, ("enrollment", user_course_id)) for entry in entries])


def _record(
    engine: Engine,
    entries: Sequence[Entry],
    batch: Batch,
    *,
    seen_before: bool,
    commits: Commits | None,
    careful: bool = False,
    awaited: int | None = None,
) -> Outcome:
    def work(held: list[tuple[Entry, Held]], *, careful: bool) -> Outcome:
        with engine.begin() as connection:
            if awaited is not None:
                enrollments.wait_for_enrollment(connection, awaited, AWAIT_SECONDS)
            done = record(connection, entries, batch=batch, seen_before=seen_before, careful=careful)
            done.deferred += held
            if commits:
                commits.note(connection, done.settled(entries), in_order=not seen_before)
        if commits:
            commits.keep()
        return done

    held: list[tuple[Entry, Held]] = []
    try:
        return work(held, careful=careful)
    except outlines.OutlinesHeldError:
        held = batch.take_outlines()
    except OperationalError as error:
        if careful or awaited is not None or not is_lock_timeout(error) or is_any_table_locked(engine):
            raise
        careful = True
    return work(held, careful=careful)


def _judge(engine: Engine, refusals: Refusals[Entry], *, seen_before: bool, commits: Commits | None) -> Outcome:
    """Set aside what is to blame itself for being refused; what was refused before anything was accepted, if again."""
    if refusals.undecided:
        return Outcome(deferred=[(entry, REFUSED) for entry, _ in refusals.found], everything_refused=refusals.message)
    outcome = Outcome()
    if early := [entry for entry, _ in refusals.found[: refusals.early]]:
        outcome += ingest(engine, early, seen_before=seen_before, final=True, commits=commits)
    for entry, error in refusals.found[refusals.early :]:
        outcome += _put(engine, refused(entry, error), commits)
    return outcome


def refused(entry: Entry, error: DBAPIError) -> DeadLetter:
    """The letter of an entry that PostgreSQL refuses. One that wants a row that the LMS does not have yet waits for it.

    Such as an enrollment's user: the sweep tries it again.
    """
    if is_missing_reference(error):
        detail = f"waits for the LMS: {missing_reference(error)}"
        return DeadLetter(entry, Reason.UNKNOWN_REFERENCE, Rejection(Reason.UNKNOWN_REFERENCE, detail).detail)
    return DeadLetter(entry, Reason.DATA_ERROR, Rejection(Reason.DATA_ERROR, first_line(error)).detail)


def _enrolls(entry: Entry) -> bool:
    return b'"enrollment.created"' in (entry.body or b"")


def _defer(engine: Engine, entries: Sequence[Entry], commits: Commits | None) -> Outcome:
    batch = sort(entries)
    outcome = Outcome(dead_letters=batch.dead_letters, deferred=list(targets(batch)))
    if batch.dead_letters:
        with engine.begin() as connection:
            dead_letters.store_dead_letters(connection, batch.dead_letters)
            if commits:
                commits.note(connection, outcome.settled(entries))
        if commits:
            commits.keep()
    return outcome


def store_dead_letter(
    engine: Engine, entry: Entry, reason: Reason, detail: str, commits: Commits | None = None
) -> Outcome:
    """Put the entry into `dead_letter` as it is and commit. `commits`: see `ingest`."""
    return _put(engine, DeadLetter(entry, reason, Rejection(reason, detail).detail), commits)


def _put(engine: Engine, letter: DeadLetter, commits: Commits | None) -> Outcome:
    with engine.begin() as connection:
        dead_letters.store_dead_letters(connection, [letter])
        if commits:
            commits.note(connection, [letter.entry])
    if commits:
        commits.keep()
    return Outcome(dead_letters=[letter])


def record(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    batch: Batch | None = None,
    seen_before: bool = False,
    careful: bool = False,
) -> Outcome:
    """Record the entries in the caller's transaction: what cannot be applied goes into `dead_letter`.

    `seen_before` says that they were delivered or set aside earlier: a letter of one that is applied now is deleted.
    """
    outcome = apply(connection, batch or sort(entries), careful=careful)
    if outcome.dead_letters:
        dead_letters.store_dead_letters(connection, outcome.dead_letters)
    if seen_before:
        left = {letter.entry for letter in outcome.dead_letters} | {entry for entry, _ in outcome.deferred}
        dead_letters.delete_dead_letters(connection, [entry for entry in entries if entry not in left])
    return outcome
