"""Apply dead letters again: those whose enrollment has arrived, or those a person chose after a fix."""

import random
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.contract.fast_path import parse_batch
from worker.database.failures import is_missing_reference, may_be_ones_own
from worker.progress import dead_letters
from worker.progress.bisect import bisect
from worker.progress.ingest import record_batch
from worker.progress.outcome import Outcome
from worker.progress.reasons import refused
from worker.progress.refusals import EverythingRefusedError, Refusals

REFERRING = 100
"""Letters that a sweep tries at a time of those that want a row, such as a user, that the LMS did not have."""
PAGE = 2_000
"""Most letters in one transaction."""
EACH_SECONDS = 2.0
"""How long enrollments are tried one by one after PostgreSQL refused them together."""
AWAITED_PAGE = 20_000
"""Most awaited enrollments looked up in one statement."""


def redrive(engine: Engine, letter_ids: Sequence[int], *, final: bool = False) -> Outcome:
    """Apply up to PAGE letters in one transaction and delete those applied; the others get this try's reason.

    Letters whose enrollment somebody keeps locked stay as they are: the outcome's `deferred`; so do all when PostgreSQL
    refuses everything, unless `final`. Safe on several workers at once. Database errors that are not the data's fault
    are raised.
    """
    refusals = Refusals[int](final=final)

    def work(part: Sequence[int]) -> Outcome:
        with engine.begin() as connection:
            entries = dead_letters.read_entries(connection, part)
            done = record_batch(connection, entries, seen_before=True)
        if done.recorded:
            refusals.accept()
        return done

    def refuse(letter_id: int, error: DBAPIError) -> Outcome:
        if is_missing_reference(error):
            _tell_reasons(engine, [(letter_id, error)])
        else:
            refusals.add(letter_id, error)
        return Outcome()

    def defer(ids: Sequence[int]) -> Outcome:
        with engine.connect() as connection:
            return Outcome(deferred=list(parse_batch(dead_letters.read_entries(connection, ids)).targets()))

    if not letter_ids:
        return Outcome()
    try:
        outcome = bisect(engine, letter_ids, work, refuse, defer)
    except EverythingRefusedError:
        return Outcome()
    if refusals.undecided:
        return outcome
    _tell_reasons(engine, refusals.found[refusals.early :])
    return outcome + redrive(engine, [letter_id for letter_id, _ in refusals.found[: refusals.early]], final=True)


def _tell_reasons(engine: Engine, found: Sequence[tuple[int, DBAPIError]]) -> None:
    with engine.begin() as connection:
        for letter_id, error in found:
            letters = [refused(entry, error) for entry in dead_letters.read_entries(connection, [letter_id])]
            dead_letters.store_dead_letters(connection, letters)


def apply_parked(engine: Engine, user_course_ids: Sequence[int], go_on: Callable[[], bool] = lambda: True) -> Outcome:
    """Apply what waits for these enrollments, in bounded transactions, asking in between whether to go on.

    Safe at any time and on several workers at once; letters of an enrollment that does not exist, is locked or that
    PostgreSQL refuses stay, and so does what is left when it stops: the next sweep finds it.
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
            if not may_be_ones_own(error):
                raise
            done = Outcome()
        if ids and done == Outcome():  # it may be for the sake of one of them
            return total + (_apply_each(engine, free, go_on) if len(free) > 1 else done)
        total += done
        if len(ids) < PAGE or not go_on():
            break
        held = {user_course_id for _, (_, user_course_id) in done.deferred}
        free = [each for each in free if each not in held]
    return total


def _apply_each(engine: Engine, user_course_ids: Sequence[int], go_on: Callable[[], bool]) -> Outcome:
    """Each by itself, in an order of chance and for EACH_SECONDS: however many are bad, the others get their turn."""
    ends_at, total = time.monotonic() + EACH_SECONDS, Outcome()
    for each in random.sample(user_course_ids, len(user_course_ids)):
        total += apply_parked(engine, [each])
        if time.monotonic() > ends_at or not go_on():
            break
    return total


def sweep_parked(engine: Engine, go_on: Callable[[], bool] = lambda: True) -> Outcome:
    """Apply what waits for any enrollment that exists by now, asking in between whether to go on.

    First what waited for a row of the LMS's.

    The LMS inserted its row itself, or the parking and the enrolling transaction missed each other. Costs one index
    probe for each enrollment that is waited for (7 microseconds), in statements of AWAITED_PAGE.
    """
    total, after = _sweep_references(engine, go_on), 0
    while go_on():
        with engine.connect() as connection:
            awaited, arrived = dead_letters.arrived_enrollments(connection, after, AWAITED_PAGE)
        if not awaited:
            break
        total += apply_parked(engine, arrived, go_on)
        after = awaited
    return total


def _sweep_references(engine: Engine, go_on: Callable[[], bool]) -> Outcome:
    """Try some that waited for a row of the LMS's, and more of them while some are applied."""
    total = Outcome()
    while go_on():
        with engine.connect() as connection:
            ids = dead_letters.referring_dead_letters(connection, REFERRING)
        try:
            done = redrive(engine, ids, final=True)
        except DBAPIError as error:
            if not may_be_ones_own(error):
                raise
            done = sum((_redrive_one(engine, each) for each in ids if go_on()), Outcome())
        total += done
        if len(ids) < REFERRING or not done.applied + done.repeated + done.superseded:
            break
    return total


def _redrive_one(engine: Engine, letter_id: int) -> Outcome:
    try:
        return redrive(engine, [letter_id], final=True)
    except DBAPIError as error:
        if not may_be_ones_own(error):
            raise
        return Outcome()
