"""Repair what differs from the ledger: examine like `worker.services.audit`, then set right what is wrong.

Safe while workers run: only enrolments that differ are locked, examined again under the lock, and repaired in one
transaction a page. Idempotent; what is repaired stays repaired wherever a run ends. Activity that differs, be it for
another idle cut-off, is marked and computed anew; what cannot be now is left to the scheduled task. At last everything
is examined again: what is written and differs all the same was not repaired.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.domain.audit import Difference
from worker.domain.stuck import StuckRules
from worker.errors import LockedError
from worker.services.activity_refresh import refresh_these
from worker.services.audit import (
    PAGE,
    Scope,
    Step,
    examine_course,
    examine_orphans,
    examine_pages,
    scoped_courses,
    scoped_enrollments,
)
from worker.services.examination import Examined, examine
from worker.storage import activity, audit, enrollment, orphans, outline, statistics_refresh, summary_refresh
from worker.storage.database import is_passing


def rebuild_scope(
    engine: Engine,
    scope: Scope,
    statistics_seconds: float,
    rules: StuckRules,
    idle_cutoff_seconds: float,
    after: int = 0,
) -> Iterator[Step]:
    """Examine and repair what the scope says, each course when it was examined; its last step says that it is done.

    Where that is everything, rows of enrollments that are gone are deleted first.

    Where anything of a course differed, its statistics are computed anew, in at most so many seconds, and the whole
    course is examined again. `after` leaves out the courses up to that one: it goes on where another run ended.
    """
    if scope == Scope():
        yield from examine_orphans(engine)
        orphans.delete(engine)
        yield _second_look(examine_orphans(engine))
    courses = scoped_courses(engine, scope)
    if courses is None:
        for step in examine_pages(engine, scoped_enrollments(engine, scope), idle_cutoff_seconds):
            busy = _mark_activity(engine, step)
            busy += _repair_all(engine, [each.id for each in step.enrollments if each.differences])
            yield replace(step, busy=busy)
            if differing := _differing(step):
                refresh_these(engine, differing, PAGE, idle_cutoff_seconds, statistics_seconds)
                yield _second_look(examine_pages(engine, differing, idle_cutoff_seconds), differing, busy)
        return
    for course_id in courses:
        if after and (course_id is None or course_id <= after):
            continue
        wrong: list[int] = []
        differing, held = [], []
        differs = False
        for step in examine_course(engine, course_id, idle_cutoff_seconds, rules):
            wrong += [each.id for each in step.enrollments if each.differences]
            differing += _differing(step)
            differs = bool(differing or step.statistics)
            marking = _mark_activity(engine, step)
            held += marking
            yield replace(step, busy=marking)
        busy = _repair_all(engine, wrong)
        if differs:
            refresh_these(engine, differing, PAGE, idle_cutoff_seconds, statistics_seconds)
            if course_id is not None:
                _recompute(engine, course_id, statistics_seconds, rules)
            again = examine_course(engine, course_id, idle_cutoff_seconds, rules)
            yield _second_look(again, differing, [*held, *busy])
        yield Step([], course_id, busy=busy, is_done=True)


def repair(connection: Connection, ids: Sequence[int]) -> list[Examined]:
    """Lock these enrollments, examine them, set their rows and position right and refresh their summaries.

    Where a row was wrong the activity is marked, as what stands in a row is part of it. In the caller's transaction,
    which must not have locked anything yet. One alone is waited for; of several held by others raises LockedError.
    """
    outline.hold_outlines(connection)
    if len(ids) == 1:
        enrollment.wait_for_enrollment(connection, ids[0])
    else:
        free = enrollment.lock_enrollments(connection, ids)
        if enrollment.existing_enrollments(connection, set(ids) - free):
            raise LockedError("Another session keeps some of these enrollments locked.")
    wrong = [each for each in examine(connection, sorted(ids), None) if each.differences]
    keys = {(difference.table, difference.key) for each in wrong for difference in each.differences}
    progress = {
        (each.id, *lesson): row
        for each in wrong
        for lesson, row in each.rows.items()
        if ("user_course_progress", (each.id, *lesson)) in keys
    }
    positions = {each.id: each.position for each in wrong if ("user_course", (each.id,)) in keys}
    if progress:
        audit.write_progress(connection, progress)
        activity.mark(connection, sorted({user_course_id for user_course_id, _, _ in progress}))
    if positions:
        audit.write_positions(connection, positions)
    if wrong:
        summary_refresh.refresh(connection, [each.id for each in wrong])
    return wrong


def _differing(step: Step) -> list[int]:
    return [each.id for each in step.enrollments if each.differences or each.activity_differences]


def _second_look(steps: Iterable[Step], repaired: Collection[int] = (), busy: Collection[int] = ()) -> Step:
    """What differs still, of what nobody kept locked, and whose activity still waits."""
    left: list[Difference] = []
    waiting: list[int] = []
    for step in steps:
        for each in step.enrollments:
            if each.id not in busy:
                left += each.differences + each.activity_differences
            if each.id in repaired and each.activity is None:
                waiting.append(each.id)
        left += step.orphans + ([] if busy else step.statistics)
    return Step([], left=left, waiting=waiting)


def _mark_activity(engine: Engine, step: Step) -> list[int]:
    """Mark what differs; those that are being deleted, or locked like it."""
    wrong = {each.id for each in step.enrollments if each.activity_differences}
    if wrong:
        with engine.begin() as connection:
            wrong -= activity.mark(connection, sorted(wrong))
    return sorted(wrong)


def _repair_all(engine: Engine, ids: Sequence[int]) -> list[int]:
    """Repair them page by page, or one by one where somebody holds one for long; those that were held to the end."""
    busy: list[int] = []
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        if not _try_repair(engine, page):
            busy += [each for each in page if not _try_repair(engine, [each])]
    return busy


def _try_repair(engine: Engine, ids: Sequence[int]) -> bool:
    try:
        with engine.begin() as connection:
            repair(connection, ids)
    except LockedError:
        return False
    except DBAPIError as error:
        if not is_passing(error):
            raise
        return False
    return True


def _recompute(engine: Engine, course_id: int, seconds: float, rules: StuckRules) -> None:
    """Compute the course's statistics; where that fails, or another run is at it, the scheduled task finds the mark."""
    with engine.begin() as connection:
        statistics_refresh.mark_course(connection, course_id)
    try:
        with engine.begin() as connection:
            statistics_refresh.refresh_course(connection, course_id, seconds, rules)
    except DBAPIError as error:
        if not is_passing(error):
            raise
