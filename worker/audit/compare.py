"""Compare enrollments and courses with the ledger. Reads only; `worker.audit.repair` repairs.

Each course is read in one snapshot, so workers may go on meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

from sqlalchemy import Connection, Engine

from worker.analytics import stored_statistics
from worker.analytics.rules.completion_statistics import Statistics, Tally
from worker.analytics.rules.learner_history import counted_history
from worker.analytics.rules.statistics_rows import statistics_rows
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.rules.time_statistics import CourseTimeStatistics, Enrolled, TimeTally
from worker.audit import orphans, stored_rows
from worker.audit.difference import NO_ROW, WHOLE_ROW, Difference, differences
from worker.audit.enrollment_audit import AuditedEnrollment, audit_enrollments
from worker.audit.scope import Scope, enrollment_page, scoped_courses, scoped_enrollments
from worker.contract.id_ranges import BELOW_ALL_IDS
from worker.database.engine import snapshot
from worker.progress.stored_outline import read_outlines
from worker.summary.counted_lessons import counted_rows

PAGE = 200
"""Enrollments audited at a time, unless they are large."""

MAX_EVENTS_AND_ROWS = 100_000
"""Events and rows held in memory at a time, about 200 MB. An enrollment with more is not audited: it takes an event
every two minutes for five months, so it is a bug or an attack."""

MAX_ORPHANS = 1_000
"""Deleted enrollments listed for each table; a rebuild deletes the rows of all."""


@dataclass(frozen=True, slots=True)
class Step:
    """The result for some enrollments, of one course when whole courses are audited; the last has its statistics."""

    enrollments: list[AuditedEnrollment]
    course_id: int | None = None
    statistics: list[Difference] = field(default_factory=list)
    is_behind: bool = False
    """The course's statistics are behind and were not compared."""
    busy: list[int] = field(default_factory=list)
    """Enrollments that a rebuild could not repair because another session locked them."""
    too_large: list[int] = field(default_factory=list)
    """Enrollments that were not audited because they have more than MAX_EVENTS_AND_ROWS."""
    is_partial: bool = False
    """The course's statistics were not compared because it has such an enrollment."""
    orphans: list[Difference] = field(default_factory=list)
    """Rows of deleted enrollments."""
    left: list[Difference] = field(default_factory=list)
    """Differences that a rebuild repaired and that came back."""
    waiting: list[int] = field(default_factory=list)
    """Enrollments whose wrong activity a rebuild could not compute now."""
    is_waiting: bool = False
    """The course's statistics, or their sources, were wrong, and a rebuild could not compute them now."""
    has_changed: bool = False
    """A rebuild computed the course's statistics, and workers have changed the course since."""
    is_done: bool = False
    """The course is rebuilt."""

    @property
    def differences(self) -> list[Difference]:
        """All differences of this step but those that came back."""
        found = [each for its in self.enrollments for each in its.differences + its.activity_differences]
        return found + self.statistics + self.orphans


def audit_scope(
    engine: Engine, scope: Scope, idle_cutoff_seconds: float, thresholds: StuckThresholds
) -> Iterator[Step]:
    """Audit the scope, up to PAGE enrollments a step; whole courses with their statistics, each in one snapshot.

    If the scope is everything, the rows of deleted enrollments come first.
    """
    if scope == Scope():
        yield from audit_orphans(engine)
    courses = scoped_courses(engine, scope)
    if courses is None:
        yield from audit_pages(engine, scoped_enrollments(engine, scope), idle_cutoff_seconds)
        return
    for course_id in courses:
        yield from audit_course(engine, course_id, idle_cutoff_seconds, thresholds)


def audit_pages(engine: Engine, ids: Sequence[int], idle_cutoff_seconds: float) -> Iterator[Step]:
    """Audit these enrollments, each batch in a snapshot that has ended when its step is yielded."""
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        with snapshot(engine) as connection:
            batches, too_large = _batches(connection, page)
        yield Step([], too_large=too_large)
        for batch in batches:
            with snapshot(engine) as connection:
                stored_rows.extend_idle_timeout(connection)
                audited = audit_enrollments(connection, batch, idle_cutoff_seconds)
            yield Step(audited)


def audit_orphans(engine: Engine) -> Iterator[Step]:
    """List the rows of deleted enrollments in every table, up to MAX_ORPHANS ids of each table."""
    for table in orphans.TABLES:
        found = islice(orphans.find(engine, table), MAX_ORPHANS)
        yield Step([], orphans=[Difference(table, (key,), WHOLE_ROW, {"rows": count}, NO_ROW) for key, count in found])


def _batches(connection: Connection, ids: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Return the enrollments in batches of up to MAX_EVENTS_AND_ROWS, and those that have more by themselves."""
    batches: list[list[int]] = []
    too_large: list[int] = []
    room = 0
    for user_course_id, size in stored_rows.read_sizes(connection, ids, MAX_EVENTS_AND_ROWS + 1).items():
        if size > MAX_EVENTS_AND_ROWS:
            too_large.append(user_course_id)
            continue
        if size > room or not batches:
            batches.append([])
            room = MAX_EVENTS_AND_ROWS
        batches[-1].append(user_course_id)
        room -= size
    return batches, too_large


def audit_course(
    engine: Engine, course_id: int | None, idle_cutoff_seconds: float, thresholds: StuckThresholds
) -> Iterator[Step]:
    """Audit the enrollments of a course, or those without a course (None), and at last the course's statistics.

    One snapshot holds back vacuum meanwhile: without it statistics could not be compared. Time statistics are not
    compared while any learner's activity is stale. Medians take 24 bytes for each completed lesson.
    """
    with snapshot(engine) as connection:
        stored_rows.extend_idle_timeout(connection)
        outline = read_outlines(connection, [course_id]).get(course_id)
        lessons, moved = (outline.lessons, outline.moved) if outline else (None, {})
        tally, time_tally, is_settled, is_partial = Tally(lessons), TimeTally(lessons), True, False
        after = BELOW_ALL_IDS
        while ids := enrollment_page(connection, course_id, after, PAGE):
            batches, too_large = _batches(connection, ids)
            is_partial = is_partial or bool(too_large)
            yield Step([], course_id, too_large=too_large)
            for batch in batches:
                audited = audit_enrollments(connection, batch, idle_cutoff_seconds)
                for each in audited:
                    tally.add(each.summary, counted_rows(each.rows, moved))
                    is_settled = is_settled and each.activity is not None
                    if each.activity:
                        time_tally.add(Enrolled(*counted_history(each.rows, each.activity, moved), each.zones))
                yield Step(audited, course_id)
            after = ids[-1]
        if course_id is not None:
            is_behind = stored_rows.is_behind(connection, course_id)
            found: list[Difference] = []
            if not is_behind and not is_partial:
                found += _statistics_differences(connection, course_id, tally)
                if is_settled:
                    found += _time_differences(connection, course_id, time_tally.statistics(thresholds))
            yield Step([], course_id, found, is_behind=is_behind, is_partial=is_partial)


def _statistics_differences(connection: Connection, course_id: int, tally: Tally) -> Iterator[Difference]:
    stored = stored_statistics.read_statistics(connection, course_id)
    yield from differences(
        "course_statistics", (course_id,), _row(stored.course if stored else None), _row(tally.course())
    )
    lessons, expected = stored.lessons if stored else {}, tally.lessons()
    for lesson in sorted(lessons.keys() | expected.keys()):
        ours, theirs = lessons.get(lesson), expected.get(lesson)
        if ours != theirs:
            yield from differences("lesson_statistics", (course_id, *lesson), _row(ours), _row(theirs))


def _time_differences(connection: Connection, course_id: int, expected: CourseTimeStatistics) -> Iterator[Difference]:
    stored = stored_statistics.read_time_statistics(connection, course_id)
    ours = statistics_rows({course_id: stored} if stored else {})
    for table, rows in statistics_rows({course_id: expected}).items():
        for key in sorted(rows.keys() | ours[table].keys()):
            yield from differences(table, key, ours[table].get(key), rows.get(key))


def _row(of: Statistics | None) -> dict[str, object] | None:
    return None if of is None else asdict(of)
