"""Analyze one course: combine its stored statistics with the rules."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Engine

from worker.analytics.analysis import DORMANT, WEEKS, AnalyzedLesson, CourseAnalysis, Week
from worker.analytics.class_list import LIMIT, ClassList, read_class_list
from worker.analytics.course_overview import require_course, unknown_course
from worker.analytics.dormant_learners import Dormant, read_dormant
from worker.analytics.freshness import Freshness, course_freshness
from worker.analytics.rules.activity import HOURS_OF_A_WEEK, TimeSpent, by_weekday
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.rules.difficulty import Difficulty, Signs, difficulties
from worker.analytics.rules.stuck import drop_off, is_blocker
from worker.analytics.rules.time_statistics import CourseTimeStatistics, LessonTimeStatistics, WeekTimeStatistics
from worker.analytics.rules.weeks import last_mondays
from worker.analytics.stored_statistics import StoredStatistics, read_statistics, read_time_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.lesson import Lesson
from worker.database.engine import snapshot
from worker.database.server import clock
from worker.progress.enrollments import enrollments_of
from worker.progress.stored_outline import StoredOutline, read_outlines

_NO_TIME = TimeSpent(0, 0)
_NOTHING = LessonTimeStatistics(0, 0, 0, _NO_TIME, None, None, None)
_NO_STATISTICS = CourseTimeStatistics(_NO_TIME, 0, 0, [0] * HOURS_OF_A_WEEK, None, {}, {})


def analyze_course(
    engine: Engine, course_id: int, now: datetime | None, thresholds: AnalysisThresholds
) -> CourseAnalysis:
    """Return the analysis of one course at `now`, by default PostgreSQL's time, from the rollups.

    Nine queries whatever the number of learners, one more while changes are pending, and one for the time. Raises
    InputError for an invalid id, and NotFoundError for an unknown course.
    """
    require_course(course_id)
    with snapshot(engine) as connection:
        return _analyze(connection, course_id, now or clock(connection), thresholds)[0]


def analyze_course_and_class(
    engine: Engine, course_id: int, now: datetime | None, thresholds: AnalysisThresholds, limit: int = LIMIT
) -> tuple[CourseAnalysis, ClassList]:
    """Return the same with the first `limit` enrollments of the class list, both in one snapshot."""
    require_course(course_id)
    with snapshot(engine) as connection:
        now = now or clock(connection)
        analysis, outline, freshness = _analyze(connection, course_id, now, thresholds)
        return analysis, read_class_list(connection, course_id, now, outline, freshness, thresholds, limit=limit)


def _analyze(
    connection: Connection, course_id: int, now: datetime, thresholds: AnalysisThresholds
) -> tuple[CourseAnalysis, StoredOutline | None, Freshness]:
    stored = read_statistics(connection, course_id)
    time_statistics = read_time_statistics(connection, course_id) or _NO_STATISTICS
    outline = read_outlines(connection, [course_id]).get(course_id)
    if not (stored or outline or enrollments_of(connection, course_id, 0, 1)):
        raise unknown_course(course_id)
    freshness = course_freshness(connection, course_id)
    dormant = read_dormant(connection, course_id, now, freshness.as_of, thresholds.dormant_days, DORMANT)
    analysis = _analysis(course_id, stored, time_statistics, outline, dormant, freshness, now, thresholds)
    return analysis, outline, freshness


def _analysis(
    course_id: int,
    stored: StoredStatistics | None,
    time_statistics: CourseTimeStatistics,
    outline: StoredOutline | None,
    dormant: Dormant,
    freshness: Freshness,
    now: datetime,
    thresholds: AnalysisThresholds,
) -> CourseAnalysis:
    known = stored.lessons if stored else {}
    order = [lesson for lesson in outline.lessons if lesson in known] if outline else sorted(known)
    signs = {lesson: _signs(known[lesson], time_statistics.lessons.get(lesson, _NOTHING)) for lesson in order}
    difficulty_of = difficulties(signs, thresholds.min_learners)
    return CourseAnalysis(
        course_id=course_id,
        total_is_known=outline is not None,
        statistics=stored.course if stored else None,
        spent=time_statistics.spent,
        sessions=time_statistics.sessions,
        session_seconds=time_statistics.session_seconds,
        median_days=time_statistics.median_days,
        events_by_weekday=by_weekday(time_statistics.events_by_hour),
        weeks=_weeks(time_statistics.weeks, now.astimezone(UTC).date()),
        lessons=[
            _lesson(
                lesson,
                outline.titles[lesson] if outline else None,
                known[lesson],
                time_statistics.lessons.get(lesson, _NOTHING),
                difficulty_of.get(lesson),
                thresholds,
            )
            for lesson in order
        ],
        dormant_learners=dormant.count,
        dormant=dormant.latest,
        as_of=freshness.as_of,
        pending=freshness.pending,
    )


def _signs(statistics: Statistics, time_statistics: LessonTimeStatistics) -> Signs:
    return Signs(
        learners=statistics.started,
        median_seconds=time_statistics.median_seconds,
        median_visits_to_complete=time_statistics.median_visits_to_complete,
        drop_off=drop_off(statistics.started, time_statistics.stopped),
    )


def _lesson(
    lesson: Lesson,
    title: str | None,
    statistics: Statistics,
    time_statistics: LessonTimeStatistics,
    difficulty: Difficulty | None,
    thresholds: AnalysisThresholds,
) -> AnalyzedLesson:
    ratio = drop_off(statistics.started, time_statistics.stopped)
    return AnalyzedLesson(
        *lesson,
        title=title,
        statistics=statistics,
        visits=time_statistics.visits,
        spent=time_statistics.spent,
        median_seconds=time_statistics.median_seconds,
        median_visits_to_complete=time_statistics.median_visits_to_complete,
        median_days=time_statistics.median_days,
        stopped=time_statistics.stopped,
        stuck=time_statistics.stuck,
        drop_off=ratio,
        is_blocker=is_blocker(ratio, statistics.started, thresholds.blocker_ratio, thresholds.min_learners),
        difficulty=difficulty,
    )


def _weeks(weeks: Mapping[date, WeekTimeStatistics], today: date) -> list[Week]:
    nothing = WeekTimeStatistics(0, 0, _NO_TIME)
    found = ((monday, weeks.get(monday, nothing)) for monday in last_mondays(weeks, today, WEEKS))
    return [Week(monday, of.completed, of.learners, of.spent) for monday, of in found]
