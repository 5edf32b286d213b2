"""Hold what is stored against the ledger: enrollments (`worker.audit.enrollment_audit`), the statistics and figures of
courses; and look for rows of enrollments that are gone.

Each course is read in one snapshot, so workers may go on meanwhile. Reads only; `worker.audit.repair` repairs.
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
from worker.audit.enrollment_audit import Examined, examine
from worker.audit.rules import NO_ROW, WHOLE_ROW, Difference, differences
from worker.database.engine import snapshot
from worker.errors import InputError
from worker.progress.stored_outline import read_outlines
from worker.summary.counted_lessons import counted_rows

PAGE = 200
"""Enrollments examined at a time, unless they are large."""

MOST = 100_000
"""Events and rows held in memory at a time, some 200 MB. An enrollment that has more by itself is not examined: that is
something every two minutes, day and night, for five months, so a defect or an attack."""

MOST_ORPHANS = 1_000
"""Enrollments that are gone, told of each table; a rebuild deletes the rows of all."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to examine: one enrollment, so many at random, one course, or everything."""

    user_course_id: int | None = None
    sample: int | None = None
    course_id: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Some enrollments, of one course where whole courses are examined; its last step has the course's statistics."""

    enrollments: list[Examined]
    course_id: int | None = None
    statistics: list[Difference] = field(default_factory=list)
    is_behind: bool = False
    """The course's statistics wait for their next refresh and were not compared."""
    busy: list[int] = field(default_factory=list)
    """Enrollments that somebody kept locked, so that a rebuild could not repair them."""
    too_large: list[int] = field(default_factory=list)
    """Enrollments that were not examined, as they have more than MOST events and rows."""
    is_partial: bool = False
    """The course has such an enrollment, and its statistics were not compared."""
    orphans: list[Difference] = field(default_factory=list)
    """Rows of enrollments that are gone."""
    left: list[Difference] = field(default_factory=list)
    """What a rebuild repaired, and what differs from the ledger all the same."""
    waiting: list[int] = field(default_factory=list)
    """Enrollments whose activity was wrong, and a rebuild could not compute it now."""
    is_waiting: bool = False
    """The course's statistics were wrong, or what they are made of, and a rebuild could not compute them now."""
    has_changed: bool = False
    """Its statistics were computed, but workers have changed the course since."""
    is_done: bool = False
    """The course is rebuilt."""

    @property
    def differences(self) -> list[Difference]:
        """All of this step."""
        found = [each for its in self.enrollments for each in its.differences + its.activity_differences]
        return found + self.statistics + self.orphans


def count_scope(engine: Engine, scope: Scope) -> int:
    """How many enrollments the scope holds. Raises InputError where it names one that is not there."""
    with engine.connect() as connection:
        total = stored_rows.count_enrollments(connection, scope.course_id)
        if scope.user_course_id is not None:
            if not stored_rows.read_enrollments(connection, [scope.user_course_id]):
                raise InputError(f"There is no enrollment {scope.user_course_id}.")
            return 1
        if scope.course_id is not None and scope.course_id not in stored_rows.course_ids(connection):
            raise InputError(f"There is no course {scope.course_id}: no enrollment, outline or statistics name it.")
    return total if scope.sample is None else min(scope.sample, total)


def examine_scope(engine: Engine, scope: Scope, idle_cutoff_seconds: float, rules: StuckThresholds) -> Iterator[Step]:
    """Examine what the scope says, PAGE enrollments a step; of whole courses the statistics too, all in one snapshot.

    Where that is everything, rows of enrollments that are gone first.
    """
    if scope == Scope():
        yield from examine_orphans(engine)
    courses = scoped_courses(engine, scope)
    if courses is None:
        yield from examine_pages(engine, scoped_enrollments(engine, scope), idle_cutoff_seconds)
        return
    for course_id in courses:
        yield from examine_course(engine, course_id, idle_cutoff_seconds, rules)


def scoped_courses(engine: Engine, scope: Scope) -> list[int | None] | None:
    """The whole courses that the scope names, None standing for enrollments without one; or None when it names none."""
    if scope.course_id is not None:
        return [scope.course_id]
    if scope.user_course_id is not None or scope.sample is not None:
        return None
    with engine.connect() as connection:
        return stored_rows.course_ids(connection)


def scoped_enrollments(engine: Engine, scope: Scope) -> list[int]:
    """The single enrollments that the scope names."""
    if scope.user_course_id is not None:
        return [scope.user_course_id]
    with engine.connect() as connection:
        return stored_rows.sample_enrollments(connection, scope.sample or 0)


def examine_pages(engine: Engine, ids: Sequence[int], idle_cutoff_seconds: float) -> Iterator[Step]:
    """Examine these enrollments, each page in a snapshot of its own that has ended when the step is there."""
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        with snapshot(engine) as connection:
            portions, too_large = _portions(connection, page)
        yield Step([], too_large=too_large)
        for portion in portions:
            with snapshot(engine) as connection:
                stored_rows.allow_pauses(connection)
                examined = examine(connection, portion, idle_cutoff_seconds)
            yield Step(examined)


def examine_orphans(engine: Engine) -> Iterator[Step]:
    """Look for rows of enrollments that are gone, in every table that has some; up to MOST_ORPHANS ids of each."""
    for table in orphans.TABLES:
        found = islice(orphans.find(engine, table), MOST_ORPHANS)
        yield Step([], orphans=[Difference(table, (key,), WHOLE_ROW, {"rows": count}, NO_ROW) for key, count in found])


def _portions(connection: Connection, ids: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """The enrollments in portions of up to MOST events and rows together, and those that have more by themselves."""
    portions: list[list[int]] = []
    too_large: list[int] = []
    room = 0
    for user_course_id, size in stored_rows.read_sizes(connection, ids, MOST + 1).items():
        if size > MOST:
            too_large.append(user_course_id)
            continue
        if size > room or not portions:
            portions.append([])
            room = MOST
        portions[-1].append(user_course_id)
        room -= size
    return portions, too_large


def examine_course(
    engine: Engine, course_id: int | None, idle_cutoff_seconds: float, rules: StuckThresholds
) -> Iterator[Step]:
    """Examine the enrollments of a course, or those without one (None), at last the course's statistics and figures.

    In one snapshot, which holds back the vacuum meanwhile: else the statistics could not be compared. Figures are left
    to their refresh while that of any learner's activity waits; medians take 24 bytes for each completed lesson.
    """
    with snapshot(engine) as connection:
        stored_rows.allow_pauses(connection)
        outline = read_outlines(connection, [course_id]).get(course_id)
        lessons, moved = (outline.lessons, outline.moved) if outline else (None, {})
        tally, figures, is_settled, is_partial = Tally(lessons), TimeTally(lessons), True, False
        after = stored_rows.BELOW_ALL_IDS
        while ids := stored_rows.enrollment_page(connection, course_id, after, PAGE):
            portions, too_large = _portions(connection, ids)
            is_partial = is_partial or bool(too_large)
            yield Step([], course_id, too_large=too_large)
            for portion in portions:
                examined = examine(connection, portion, idle_cutoff_seconds)
                for each in examined:
                    tally.add(each.summary, counted_rows(each.rows, moved))
                    is_settled = is_settled and each.activity is not None
                    if each.activity:
                        figures.add(Enrolled(*counted_history(each.rows, each.activity, moved), each.zones))
                yield Step(examined, course_id)
            after = ids[-1]
        if course_id is not None:
            is_behind = stored_rows.has_changed(connection, course_id)
            found: list[Difference] = []
            if not is_behind and not is_partial:
                found += _statistics_differences(connection, course_id, tally)
                if is_settled:
                    found += _time_differences(connection, course_id, figures.statistics(rules))
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
