"""Repair what differs from the ledger: audit like `worker.audit.compare`, then write what is expected.

Safe while workers run: only enrollments that differ are locked; they are audited again under the lock and repaired in
one transaction a page. Idempotent, and an interrupted run keeps its repairs. Activity and statistics that differ are
marked and computed again; what cannot be computed now is reported and left to the scheduled task. Finally everything
that differed is audited again, and what still differs is reported as not repaired.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.analytics import statistics_claims
from worker.analytics.activity_refresh import refresh_these
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.statistics_refresh import refresh_course
from worker.audit import orphans
from worker.audit.compare import PAGE, Step, audit_course, audit_orphans, audit_pages
from worker.audit.difference import Difference
from worker.audit.enrollment_audit import AuditedEnrollment, audit_enrollments
from worker.audit.repaired_rows import write_positions, write_progress
from worker.audit.scope import Scope, scoped_courses, scoped_enrollments
from worker.database import stale_marks
from worker.database.failures import is_transient, may_be_caused_by_one
from worker.errors import LockedError
from worker.progress import enrollments as enrollment
from worker.progress import outlines
from worker.summary.statement import compute_summaries


def rebuild_scope(
    engine: Engine,
    scope: Scope,
    statistics_seconds: float,
    thresholds: StuckThresholds,
    idle_cutoff_seconds: float,
    after: int = 0,
) -> Iterator[Step]:
    """Audit and repair the scope, course by course; a course's last step has `is_done`.

    If the scope is everything, the rows of deleted enrollments are deleted first. When anything in a course differed,
    its statistics are computed within `statistics_seconds` and the course is audited again. `after` skips the courses
    up to that id, to continue an interrupted run.
    """
    if scope == Scope():
        yield from audit_orphans(engine)
        orphans.delete(engine)
        yield _second_look(audit_orphans(engine))
    courses = scoped_courses(engine, scope)
    if courses is None:
        for step in audit_pages(engine, scoped_enrollments(engine, scope), idle_cutoff_seconds):
            busy = _mark_activity(engine, step)
            busy += _repair_all(engine, [each.id for each in step.enrollments if each.differences])
            yield replace(step, busy=busy)
            if differing := _differing(step):
                computed = refresh_these(engine, differing, PAGE, idle_cutoff_seconds, statistics_seconds)
                uncomputed = _marked(step) - computed
                yield _second_look(audit_pages(engine, differing, idle_cutoff_seconds), uncomputed, busy)
        return
    for course_id in courses:
        if after and (course_id is None or course_id <= after):
            continue
        wrong: list[int] = []
        differing, held = [], []
        marked: set[int] = set()
        differs = was_behind = False
        for step in audit_course(engine, course_id, idle_cutoff_seconds, thresholds):
            wrong += [each.id for each in step.enrollments if each.differences]
            differing += _differing(step)
            marked |= _marked(step)
            differs, was_behind = bool(differing or step.statistics), step.is_behind
            marking = _mark_activity(engine, step)
            held += marking
            yield replace(step, busy=marking)
        busy = _repair_all(engine, wrong)
        if differs:
            marked -= refresh_these(engine, differing, PAGE, idle_cutoff_seconds, statistics_seconds)
            is_waiting = course_id is not None and not _recompute(engine, course_id, statistics_seconds, thresholds)
            again = audit_course(engine, course_id, idle_cutoff_seconds, thresholds)
            found = _second_look(again, marked, [*held, *busy])
            has_changed = found.has_changed and not was_behind and not is_waiting
            yield replace(found, course_id=course_id, is_waiting=is_waiting, has_changed=has_changed)
        yield Step([], course_id, busy=busy, is_done=True)


def repair(connection: Connection, ids: Sequence[int]) -> list[AuditedEnrollment]:
    """Lock these enrollments, audit them, repair their rows and position and refresh their summaries.

    A wrong row also marks the activity, which depends on it. In the caller's transaction, which must not hold any lock
    yet. Waits for a single enrollment; raises LockedError when another session holds one of several.
    """
    outlines.hold_outlines(connection)
    if len(ids) == 1:
        enrollment.wait_for_enrollment(connection, ids[0])
    else:
        free = enrollment.lock_enrollments(connection, ids)
        if enrollment.existing_enrollments(connection, set(ids) - free):
            raise LockedError("Another session keeps some of these enrollments locked.")
    wrong = [each for each in audit_enrollments(connection, sorted(ids), None) if each.differences]
    keys = {(difference.table, difference.key) for each in wrong for difference in each.differences}
    progress = {
        (each.id, *lesson): row
        for each in wrong
        for lesson, row in each.rows.items()
        if ("user_course_progress", (each.id, *lesson)) in keys
    }
    positions = {each.id: each.position for each in wrong if ("user_course", (each.id,)) in keys}
    if progress:
        write_progress(connection, progress)
        stale_marks.mark_activity(connection, sorted({user_course_id for user_course_id, _, _ in progress}))
    if positions:
        write_positions(connection, positions)
    if wrong:
        compute_summaries(connection, [each.id for each in wrong])
    return wrong


def _differing(step: Step) -> list[int]:
    return [each.id for each in step.enrollments if each.differences or each.activity_differences]


def _marked(step: Step) -> set[int]:
    """Return the enrollments whose activity is marked because it, or a row it depends on, differed."""
    return {
        each.id
        for each in step.enrollments
        if each.activity_differences or any(its.table == "user_course_progress" for its in each.differences)
    }


def _second_look(steps: Iterable[Step], uncomputed: Collection[int] = (), busy: Collection[int] = ()) -> Step:
    """Return what still differs, except in locked enrollments, and whose activity is still to be computed."""
    left: list[Difference] = []
    waiting: list[int] = []
    has_changed = False
    for step in steps:
        for each in step.enrollments:
            if each.id in busy:
                continue
            left += each.differences + each.activity_differences
            if each.id in uncomputed and each.activity is None:
                waiting.append(each.id)
        left += step.orphans + ([] if busy else step.statistics)
        has_changed |= step.is_behind
    return Step([], left=left, waiting=waiting, has_changed=has_changed)


def _mark_activity(engine: Engine, step: Step) -> list[int]:
    """Mark wrong activity; return the enrollments that could not be marked because they are locked for deletion."""
    wrong = {each.id for each in step.enrollments if each.activity_differences}
    if wrong:
        with engine.begin() as connection:
            wrong -= stale_marks.mark_activity(connection, sorted(wrong))
    return sorted(wrong)


def _repair_all(engine: Engine, ids: Sequence[int]) -> list[int]:
    """Repair page by page, or one by one in a page with a locked enrollment; return those that stayed locked."""
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
        if not is_transient(error):
            raise
        return False
    return True


def _recompute(engine: Engine, course_id: int, seconds: float, thresholds: StuckThresholds) -> bool:
    """Compute the course's statistics after any refresh in progress; False when that fails and is left to the mark."""
    with engine.begin() as connection:
        stale_marks.mark_statistics(connection, course_id)
    try:
        with engine.begin() as connection:
            statistics_claims.wait_for_refresh(connection, course_id, seconds)
            return refresh_course(connection, course_id, seconds, thresholds)
    except DBAPIError as error:
        if not may_be_caused_by_one(error):
            raise
        return False
