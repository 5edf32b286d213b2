"""Apply dead letters again: parked ones whose enrollment has arrived, or those chosen by a person after a fix."""

import random
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.contract.batch import parse_batch
from worker.database.failures import is_missing_reference, may_be_caused_by_one
from worker.identity.resolve import resolve
from worker.progress import awaited_lessons, dead_letters
from worker.progress.bisect import bisect
from worker.progress.everything_refused import EverythingRefusedError, Refusals
from worker.progress.ingest import record_batch
from worker.progress.outcome import Outcome
from worker.progress.reasons import refused

REFERRING_PAGE = 100
"""Maximum dead letters tried at once that wait for a row of the LMS, such as a user."""
PAGE = 2_000
"""Maximum dead letters in one transaction."""
EACH_SECONDS = 2.0
"""How long to try enrollments one by one after PostgreSQL refused them together."""
AWAITED_PAGE = 20_000
"""Maximum awaited enrollments, or lessons, looked up in one statement."""


def redrive(engine: Engine, dead_letter_ids: Sequence[int], *, final: bool = False) -> Outcome:
    """Apply up to PAGE dead letters in one transaction and delete those applied; the others get the new reason.

    Those whose enrollment is locked stay unchanged, in the outcome's `deferred`; so do all if PostgreSQL refuses
    everything, unless `final`. Safe on several workers at once. Raises database errors that are not the data's fault.
    """
    refusals = Refusals[int](final=final)

    def work(part: Sequence[int]) -> Outcome:
        with engine.begin() as connection:
            entries = dead_letters.read_entries(connection, part)
        batch = parse_batch(entries)
        resolve(engine, batch)
        with engine.begin() as connection:
            done = record_batch(connection, entries, batch, seen_before=True)
        if done.recorded:
            refusals.accept()
        return done

    def refuse(dead_letter_id: int, error: DBAPIError) -> Outcome:
        if is_missing_reference(error):
            _store_reasons(engine, [(dead_letter_id, error)])
        else:
            refusals.add(dead_letter_id, error)
        return Outcome()

    def defer(ids: Sequence[int]) -> Outcome:
        with engine.connect() as connection:
            return Outcome(deferred=list(parse_batch(dead_letters.read_entries(connection, ids)).targets()))

    if not dead_letter_ids:
        return Outcome()
    try:
        outcome = bisect(engine, dead_letter_ids, work, refuse, defer)
    except EverythingRefusedError:
        return Outcome()
    if refusals.undecided:
        return outcome
    _store_reasons(engine, refusals.found[refusals.early :])
    return outcome + redrive(engine, [each for each, _ in refusals.found[: refusals.early]], final=True)


def _store_reasons(engine: Engine, found: Sequence[tuple[int, DBAPIError]]) -> None:
    with engine.begin() as connection:
        for dead_letter_id, error in found:
            entries = dead_letters.read_entries(connection, [dead_letter_id])
            dead_letters.store_dead_letters(connection, [refused(entry, error) for entry in entries])


def apply_parked(engine: Engine, user_course_ids: Sequence[int], go_on: Callable[[], bool] = lambda: True) -> Outcome:
    """Apply the dead letters parked for these enrollments, in bounded transactions, while `go_on` agrees.

    Safe at any time and on several workers at once. Dead letters of an enrollment that does not exist or is locked,
    those that PostgreSQL refuses and those left when it stops stay for the next sweep.
    """
    total = Outcome()
    ids: list[int] = []
    free = list(user_course_ids)
    while free:
        with engine.connect() as connection:
            ids = dead_letters.parked_dead_letters(connection, free, max(ids, default=0), PAGE)
        try:
            done = redrive(engine, ids)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            done = Outcome()
        if ids and done == Outcome():  # one of the enrollments may be to blame
            return total + (_apply_each(engine, free, go_on) if len(free) > 1 else done)
        total += done
        if len(ids) < PAGE or not go_on():
            break
        locked = {user_course_id for _, (_, user_course_id) in done.deferred}
        free = [each for each in free if each not in locked]
    return total


def _apply_each(engine: Engine, user_course_ids: Sequence[int], go_on: Callable[[], bool]) -> Outcome:
    """Apply each by itself for EACH_SECONDS, in random order so that the good ones get their turn."""
    ends_at, total = time.monotonic() + EACH_SECONDS, Outcome()
    for each in random.sample(user_course_ids, len(user_course_ids)):
        total += apply_parked(engine, [each])
        if time.monotonic() > ends_at or not go_on():
            break
    return total


def sweep_parked(engine: Engine, go_on: Callable[[], bool] = lambda: True) -> Outcome:
    """Apply all parked dead letters whose row exists by now, while `go_on` agrees.

    Recording does not find them if the LMS inserted the row, or if the parking and the enrolling transaction missed
    each other. Costs one index probe per awaited enrollment (7 microseconds), in statements of AWAITED_PAGE.
    """
    total, after = _sweep_referring(engine, go_on), 0
    while go_on():
        with engine.connect() as connection:
            awaited, arrived = dead_letters.arrived_enrollments(connection, after, AWAITED_PAGE)
        if not awaited:
            break
        total += apply_parked(engine, arrived, go_on)
        after = awaited
    return total + _sweep_lessons(engine, go_on)


def _sweep_lessons(engine: Engine, go_on: Callable[[], bool]) -> Outcome:
    """Apply the dead letters whose lesson has been named. Costs one index probe per awaited lesson."""
    total = Outcome()
    after: awaited_lessons.Awaited | None = awaited_lessons.BEFORE_ALL
    while after is not None and go_on():
        with engine.connect() as connection:
            after, arrived = awaited_lessons.arrived_lessons(connection, after, AWAITED_PAGE)
        total += _apply_waiting(engine, arrived, go_on)
    return total


def _apply_waiting(engine: Engine, lessons: Sequence[awaited_lessons.Awaited], go_on: Callable[[], bool]) -> Outcome:
    total, ids = Outcome(), [0]
    while lessons and ids and go_on():
        with engine.connect() as connection:
            ids = awaited_lessons.waiting_for_lessons(connection, lessons, ids[-1], PAGE)
        try:
            total += redrive(engine, ids)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            total += sum((_redrive_one(engine, each) for each in ids if go_on()), Outcome())
    return total


def _sweep_referring(engine: Engine, go_on: Callable[[], bool]) -> Outcome:
    """Try a page of those that wait for a row of the LMS, and further pages while some are applied."""
    total = Outcome()
    while go_on():
        with engine.connect() as connection:
            ids = dead_letters.referring_dead_letters(connection, REFERRING_PAGE)
        try:
            done = redrive(engine, ids, final=True)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            done = sum((_redrive_one(engine, each) for each in ids if go_on()), Outcome())
        total += done
        if len(ids) < REFERRING_PAGE or not done.applied + done.repeated + done.superseded:
            break
    return total


def _redrive_one(engine: Engine, dead_letter_id: int) -> Outcome:
    try:
        return redrive(engine, [dead_letter_id], final=True)
    except DBAPIError as error:
        if not may_be_caused_by_one(error):
            raise
        return Outcome()
