"""Hold what is stored against the ledger: progress, positions and summaries of enrolments, statistics of courses.

What must be stored is computed by the plain rules of `worker.domain`, not by the SQL that stored it. Each course is
read in one snapshot, so workers may go on meanwhile. Reads only; `worker.services.rebuild` repairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby

from sqlalchemy import Connection, Engine

from worker.domain.audit import (
    NO_ROW,
    WHOLE_ROW,
    Difference,
    differences,
    expected_position,
    expected_progress,
)
from worker.domain.event import LessonEvent, ProgressCorrected
from worker.domain.outline import Lesson
from worker.domain.progress import Position, Progress, keep_latest, lesson_progress, position
from worker.domain.statistics import Statistics, Tally
from worker.domain.summary import Place, Summary, summarise
from worker.errors import InputError
from worker.storage import audit, statistics
from worker.storage.audit import StoredEnrollment
from worker.storage.database import snapshot
from worker.storage.outline import StoredOutline, read_outlines
from worker.storage.summary import StoredSummary, read_stored

PAGE = 200
"""Enrolments examined at a time."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to examine: one enrolment, so many at random, one course, or everything."""

    user_course_id: int | None = None
    sample: int | None = None
    course_id: int | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """An enrolment: what it must be, and every difference from that."""

    id: int
    rows: dict[Lesson, Progress]
    position: Position | None
    summary: Summary
    differences: list[Difference]
    unprovable: int
    """Rows for which retention left too few events to say what they must be."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some enrolments, of one course where whole courses are examined; its last step has the course's statistics."""

    enrollments: list[Examined]
    course_id: int | None = None
    statistics: list[Difference] = field(default_factory=list)
    is_behind: bool = False
    """The course's statistics wait for their next refresh and were not compared."""
    busy: list[int] = field(default_factory=list)
    """Enrolments that somebody kept locked, so that a rebuild could not repair them."""
    is_done: bool = False
    """The course is rebuilt."""

    @property
    def differences(self) -> list[Difference]:
        """All of this step."""
        return [each for examined in self.enrollments for each in examined.differences] + self.statistics


def count_scope(engine: Engine, scope: Scope) -> int:
    """How many enrolments the scope holds. Raises InputError where it names one that is not there."""
    with engine.connect() as connection:
        total = audit.count_enrollments(connection, scope.course_id)
        if scope.user_course_id is not None:
            if not audit.read_enrollments(connection, [scope.user_course_id]):
                raise InputError(f"There is no enrolment {scope.user_course_id}.")
            return 1
        if scope.course_id is not None and scope.course_id not in audit.course_ids(connection):
            raise InputError(f"There is no course {scope.course_id}: no enrolment, outline or statistics name it.")
    return total if scope.sample is None else min(scope.sample, total)


def examine_scope(engine: Engine, scope: Scope) -> Iterator[Step]:
    """Examine what the scope says, PAGE enrolments a step; of whole courses the statistics too, all in one snapshot."""
    courses = scoped_courses(engine, scope)
    if courses is None:
        yield from examine_pages(engine, scoped_enrollments(engine, scope))
        return
    for course_id in courses:
        yield from examine_course(engine, course_id)


def scoped_courses(engine: Engine, scope: Scope) -> list[int | None] | None:
    """The whole courses that the scope names, None standing for enrolments without one; or None when it names none."""
    if scope.course_id is not None:
        return [scope.course_id]
    if scope.user_course_id is not None or scope.sample is not None:
        return None
    with engine.connect() as connection:
        return audit.course_ids(connection)


def scoped_enrollments(engine: Engine, scope: Scope) -> list[int]:
    """The single enrolments that the scope names."""
    if scope.user_course_id is not None:
        return [scope.user_course_id]
    with engine.connect() as connection:
        return audit.sample_enrollments(connection, scope.sample or 0)


def examine_pages(engine: Engine, ids: Sequence[int]) -> Iterator[Step]:
    """Examine these enrolments, each page in a snapshot of its own that has ended when the step is there."""
    for start in range(0, len(ids), PAGE):
        with snapshot(engine) as connection:
            examined = examine(connection, ids[start : start + PAGE])
        yield Step(examined)


def examine_course(engine: Engine, course_id: int | None) -> Iterator[Step]:
    """Examine the enrolments of a course, or those without one (None), and at last the course's statistics.

    In one snapshot, which holds back the vacuum meanwhile: else the statistics could not be compared.
    """
    with snapshot(engine) as connection:
        outline = read_outlines(connection, [course_id]).get(course_id)
        tally = Tally(outline.lessons if outline else None)
        after = audit.BELOW_ALL_IDS
        while ids := audit.enrollment_page(connection, course_id, after, PAGE):
            examined = examine(connection, ids)
            for each in examined:
                tally.add(each.summary, each.rows)
            after = ids[-1]
            yield Step(examined, course_id)
        if course_id is not None:
            is_behind = audit.has_changed(connection, course_id)
            found = [] if is_behind else list(_statistics_differences(connection, course_id, tally))
            yield Step([], course_id, found, is_behind=is_behind)


def examine(connection: Connection, ids: Sequence[int]) -> list[Examined]:
    """Hold these enrolments against their ledger, in the caller's transaction, which must see one moment of them.

    A fixed number of queries; memory follows the number of enrolments and their lessons, not of their events.
    """
    rows: dict[int, dict[Lesson, Progress]] = {each: {} for each in ids}
    latest: dict[int, LessonEvent] = {}
    for (key, topic_id, lesson_id), group in groupby(audit.read_ledger(connection, ids), key=lambda pair: pair[0]):
        events = [event for _, event in group]
        rows[key][topic_id, lesson_id] = lesson_progress(events)
        for event in events:
            if not isinstance(event, ProgressCorrected):
                keep_latest(latest, key, event)
    stored = audit.read_enrollments(connection, ids)
    outlines = read_outlines(connection, {each.course_id for each in stored})
    summaries = {each.user_course_id: each for each in read_stored(connection, ids)}
    unmarked = set(audit.unmarked(connection, ids))
    return [
        _examine(
            each,
            rows[each.id],
            position(latest[each.id]) if each.id in latest else None,
            outlines.get(each.course_id),
            summaries[each.id],
            is_unmarked=each.id in unmarked,
        )
        for each in stored
    ]


def _examine(
    stored: StoredEnrollment,
    recorded: dict[Lesson, Progress],
    recorded_position: Position | None,
    outline: StoredOutline | None,
    stored_summary: StoredSummary,
    *,
    is_unmarked: bool,
) -> Examined:
    complete = stored.history_from is None
    found: list[Difference] = []
    rows: dict[Lesson, Progress] = {}
    unprovable = 0
    for lesson in sorted(stored.rows.keys() | recorded.keys()):
        ours, known = stored.rows.get(lesson), recorded.get(lesson)
        expected = expected_progress(ours, known, complete=complete)
        if expected is not None:
            rows[lesson] = expected
            # Of a corrected lesson, events later than the correction may have gone before it came.
            unprovable += not complete and (expected != known or expected.corrected_at is not None)
        if ours != expected:
            found += differences("user_course_progress", (stored.id, *lesson), _columns(ours), _columns(expected))

    where = expected_position(stored.position, recorded_position, complete=complete)
    unprovable += where != recorded_position
    if where or stored.position:
        found += differences("user_course", (stored.id,), stored.columns, _position_columns(where))

    place = Place(where.topic_id, where.lesson_id, where.section_id, where.occurred_at) if where else stored.place
    lessons = outline.lessons if outline else None
    summary = summarise(stored.id, lessons, {lesson: row.status for lesson, row in rows.items()}, place)
    if is_unmarked:
        held = asdict(stored_summary.summary) if stored_summary.summary else None
        found.append(Difference("user_course_summary", (stored.id,), WHOLE_ROW, held or NO_ROW, asdict(summary)))
    elif stored_summary.is_current and stored_summary.summary:
        found += differences("user_course_summary", (stored.id,), asdict(stored_summary.summary), asdict(summary))
    return Examined(stored.id, rows, where, summary, found, unprovable)


def _columns(row: Progress | None) -> dict[str, object] | None:
    return None if row is None else asdict(row)


def _position_columns(where: Position | None) -> dict[str, object]:
    """By their names in `user_course`, like `StoredEnrollment.columns`."""
    if where is None:
        names = ("current_topic", "current_lesson", "current_section", "position_at", "position_event_id")
        return dict.fromkeys(names)
    return {
        "current_topic": where.topic_id,
        "current_lesson": where.lesson_id,
        "current_section": where.section_id,
        "position_at": where.occurred_at,
        "position_event_id": where.event_id or None,
    }


def _statistics_differences(connection: Connection, course_id: int, tally: Tally) -> Iterator[Difference]:
    stored = statistics.read_statistics(connection, course_id)
    yield from differences(
        "course_statistics", (course_id,), _row(stored.course if stored else None), _row(tally.course())
    )
    lessons, expected = stored.lessons if stored else {}, tally.lessons()
    for lesson in sorted(lessons.keys() | expected.keys()):
        ours, theirs = lessons.get(lesson), expected.get(lesson)
        if ours != theirs:
            yield from differences("lesson_statistics", (course_id, *lesson), _row(ours), _row(theirs))


def _row(of: Statistics | None) -> dict[str, object] | None:
    return None if of is None else asdict(of)
