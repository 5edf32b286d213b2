"""Hold what is stored against the ledger: progress, positions and summaries of enrolments, statistics of courses.

What must be stored is computed by the plain rules of `worker.domain`, not by the SQL that stored it. Each course is
read in one snapshot, so workers may go on meanwhile. Reads only; `worker.services.rebuild` repairs.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import groupby

from sqlalchemy import Connection, Engine

from worker.domain.audit import Difference, differences, expected_position, expected_progress
from worker.domain.event import LessonEvent, ProgressCorrected
from worker.domain.outline import Lesson
from worker.domain.progress import Position, Progress, keep_latest, lesson_progress, position
from worker.domain.statistics import Tally
from worker.domain.summary import Place, Summary, summarise
from worker.errors import InputError
from worker.storage import audit, statistics
from worker.storage.audit import StoredEnrollment
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
    """Rows that are more than what retention left of their events accounts for."""
    is_behind: bool
    """Its summary does not show rows that an LMS inserted ahead of any event: nothing wrong, a read does."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some enrolments, of one course where whole courses are examined; its last step has the course's statistics."""

    enrollments: list[Examined]
    course_id: int | None = None
    statistics: list[Difference] = field(default_factory=list)
    is_whole_course: bool = False
    """Its last step: all of its enrolments were examined."""
    is_behind: bool = False
    """Its statistics wait for their next refresh and were not compared."""

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


def examine_scope(engine: Engine, scope: Scope, after: tuple[int, int] = (0, 0)) -> Iterator[Step]:
    """Examine what the scope says, PAGE enrolments a step; `after` (course, enrolment) goes on where a run ended."""
    if scope.user_course_id is None and scope.sample is None:
        with engine.connect() as connection:
            courses = audit.course_ids(connection) if scope.course_id is None else [scope.course_id]
        for course_id in courses:
            if (course_id or 0) >= after[0]:
                yield from _examine_course(engine, course_id, after[1] if course_id == after[0] else 0)
        return
    with engine.connect() as connection:
        one = scope.user_course_id
        ids = [one] if one is not None else audit.sample_enrollments(connection, scope.sample or 0)
    for start in range(0, len(ids), PAGE):
        with snapshot(engine) as connection:
            yield Step(examine(connection, ids[start : start + PAGE]))


def snapshot(engine: Engine) -> AbstractContextManager[Connection]:
    """A connection whose statements all see one moment."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


def _examine_course(engine: Engine, course_id: int | None, after: int) -> Iterator[Step]:
    is_behind = after > 0
    with snapshot(engine) as connection:
        outline = read_outlines(connection, [course_id]).get(course_id)
        tally = Tally(outline.lessons if outline else None)
        while ids := audit.enrollment_page(connection, course_id, after, PAGE):
            examined = examine(connection, ids)
            for each in examined:
                tally.add(each.summary, each.rows)
                is_behind |= each.is_behind
            after = ids[-1]
            yield Step(examined, course_id)
        if course_id is not None:
            is_behind = is_behind or audit.has_changed(connection, course_id)
            found = [] if is_behind else list(_statistics_differences(connection, course_id, tally))
            yield Step([], course_id, found, is_whole_course=True, is_behind=is_behind)


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
            unprovable += expected not in (known, Progress())
        if ours != expected:
            found += differences("user_course_progress", (stored.id, *lesson), _columns(ours), _columns(expected))

    where = expected_position(stored.position, recorded_position, complete=complete)
    unprovable += where != recorded_position
    if where or stored.position:
        found += differences("user_course", (stored.id,), stored.columns, _position_columns(where))
    if is_unmarked:
        found.append(Difference("user_course", (stored.id,), "stale_since", None, "a time: its summary is behind"))

    place = Place(where.topic_id, where.lesson_id, where.section_id, where.occurred_at) if where else stored.place
    lessons = outline.lessons if outline else None
    summary = summarise(stored.id, lessons, {lesson: row.status for lesson, row in rows.items()}, place)
    if stored_summary.is_current and stored_summary.summary:
        found += differences("user_course_summary", (stored.id,), asdict(stored_summary.summary), asdict(summary))
    is_behind = not stored_summary.is_current and not is_unmarked
    return Examined(stored.id, rows, where, summary, found, unprovable, is_behind)


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
        "position_event_id": where.event_id,
    }


def _statistics_differences(connection: Connection, course_id: int, tally: Tally) -> Iterator[Difference]:
    stored = statistics.read_statistics(connection, course_id)
    yield from differences(
        "course_statistics", (course_id,), asdict(stored.course) if stored else None, asdict(tally.course())
    )
    lessons, expected = stored.lessons if stored else {}, tally.lessons()
    for lesson in sorted(lessons.keys() | expected.keys()):
        ours, theirs = lessons.get(lesson), expected.get(lesson)
        if ours != theirs:
            yield from differences(
                "lesson_statistics",
                (course_id, *lesson),
                asdict(ours) if ours else None,
                asdict(theirs) if theirs else None,
            )
