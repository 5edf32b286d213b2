"""Analyze one enrollment: apply the rules to its rows, its activity and its course's outline."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine

from worker.analytics.analysis import DAYS, WEEKS, DayTime, LearnerAnalysis, TopicTime, VisitedLesson, WeekTime
from worker.analytics.freshness import course_as_of
from worker.analytics.rules.achievements import achievements
from worker.analytics.rules.activity import Activity, Day, TimeSpent, by_weekday
from worker.analytics.rules.completion import completion
from worker.analytics.rules.learner_history import History, counted_history
from worker.analytics.rules.local_day import local_day
from worker.analytics.rules.recommendations import recommendations
from worker.analytics.rules.streaks import is_dormant, last_seen, streaks
from worker.analytics.rules.stuck import stuck
from worker.analytics.rules.velocity import projection, velocity
from worker.analytics.rules.weeks import LearnerWeek, last_mondays, learner_weeks
from worker.analytics.stored_learner import StoredLearner, read_learner
from worker.analytics.stored_statistics import Medians, read_medians
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.id_ranges import require_enrollment_id
from worker.contract.lesson import Lesson
from worker.database.engine import snapshot
from worker.database.server import clock
from worker.errors import unknown_enrollment
from worker.progress.stored_outline import StoredOutline, read_outlines
from worker.summary.rules import summarize

Key = TypeVar("Key")


def analyze_learner(
    engine: Engine, user_course_id: int, now: datetime | None, thresholds: AnalysisThresholds
) -> LearnerAnalysis:
    """Return the analysis of one enrollment at `now`, by default PostgreSQL's time: ten queries, one snapshot.

    Its activity is current, except beyond `stored_learner.MAX_EVENTS`. The medians that it is compared with are from
    the last refresh of its course's statistics. Raises InputError for an invalid
    id, and NotFoundError if the enrollment does not exist.
    """
    require_enrollment_id(user_course_id)
    with snapshot(engine) as connection:
        learner = read_learner(connection, user_course_id, thresholds.idle_cutoff_seconds)
        if learner is None:
            raise unknown_enrollment(user_course_id)
        outline = read_outlines(connection, [learner.course_id]).get(learner.course_id)
        medians = read_medians(connection, learner.course_id)
        course_is_as_of = course_as_of(connection, learner.course_id)
        now = now or clock(connection)
    return _analysis(user_course_id, learner, outline, medians, course_is_as_of, now, thresholds)


def _analysis(
    user_course_id: int,
    learner: StoredLearner,
    outline: StoredOutline | None,
    medians: Medians,
    course_is_as_of: datetime | None,
    now: datetime,
    thresholds: AnalysisThresholds,
) -> LearnerAnalysis:
    """Without an outline, the enrollment's own rows take its place, as in the summary."""
    live, moved = (outline.lessons, outline.moved) if outline else (None, {})
    history, activity = counted_history(learner.rows, learner.activity, moved)
    today = local_day(now, learner.zones)
    lessons = sorted(history) if live is None else live
    titles = outline.titles if outline else {}
    statuses = {lesson: each.status for lesson, each in history.items()}
    summary = summarize(user_course_id, live, statuses, learner.current_lesson, moved)
    active = {day for day, each in activity.days.items() if each.events}
    seen_on = last_seen(active, today)
    finished = completion(history, live)
    completed_at = finished.completed_at if finished else None
    return LearnerAnalysis(
        user_course_id=user_course_id,
        course_id=learner.course_id,
        total_lessons=summary.total_lessons,
        total_is_known=summary.total_is_known,
        completed_lessons=summary.completed_lessons,
        completion_percentage=summary.completion_percentage,
        spent=activity.spent,
        topics=[
            TopicTime(topic_id, activity.topics[topic_id])
            for topic_id in _in_order(activity.topics, (topic_id for topic_id, _ in lessons))
        ],
        lessons=[
            _visited(history, activity, lesson, titles.get(lesson)) for lesson in _in_order(activity.lessons, lessons)
        ],
        days=_last_days(activity.days, today),
        weeks=_last_weeks(learner_weeks(history, activity.days, set(lessons), learner.zones), today),
        sessions=activity.sessions,
        session_seconds=activity.session_seconds,
        events_by_weekday=by_weekday(activity.events_by_hour),
        doubtful_events=activity.doubtful_events,
        streaks=streaks(active, today, grace_weekends=thresholds.grace_weekends),
        last_seen_on=seen_on,
        is_dormant=not finished and is_dormant(seen_on, today, thresholds.dormant_days),
        is_finished=finished is not None,
        completed_at=completed_at,
        completed_on=local_day(completed_at, learner.zones) if completed_at else None,
        velocity=velocity(history, live, now),
        projection=projection(history, live, now, learner.zones, last_at=activity.last_at, course_days=medians.days),
        stuck=[
            replace(each, title=titles.get((each.topic_id, each.lesson_id)))
            for each in stuck(history, lessons, medians.seconds, thresholds.stuck)
        ],
        recommendations=[
            replace(each, title=titles.get((each.topic_id, each.lesson_id)))
            for each in recommendations(
                summary.following,
                history,
                lessons,
                medians.seconds,
                hurried_ratio=thresholds.hurried_ratio,
                revisits=thresholds.revisits,
            )
        ],
        achievements=achievements(history, live, active, zones=learner.zones, grace_weekends=thresholds.grace_weekends),
        as_of=learner.freshness.as_of,
        pending=learner.freshness.pending,
        course_as_of=course_is_as_of,
    )


def _in_order(found: Mapping[Key, object], order: Iterable[Key]) -> list[Key]:
    """Return the keys found: those in `order` first, then the rest."""
    return [key for key in dict.fromkeys([*order, *found]) if key in found]


def _visited(history: History, activity: Activity, lesson: Lesson, title: str | None) -> VisitedLesson:
    spent, visits = activity.lessons[lesson]
    return VisitedLesson(
        *lesson,
        title=title,
        status=history[lesson].status,
        spent=spent,
        visits=visits.visits,
        visits_to_complete=visits.visits_to_complete,
        first_visit_at=visits.first_visit_at,
        last_visit_at=visits.last_visit_at,
    )


def _last_weeks(weeks: Mapping[date, LearnerWeek], today: date) -> list[WeekTime]:
    nothing = LearnerWeek(0, 0, TimeSpent(0, 0))
    found = ((monday, weeks.get(monday, nothing)) for monday in last_mondays(weeks, today, WEEKS))
    return [WeekTime(monday, of.completed, of.spent, of.events) for monday, of in found]


def _last_days(days: Mapping[date, Day], today: date) -> list[DayTime]:
    nothing = Day(TimeSpent(0, 0), 0)
    wanted = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    return [DayTime(day, days.get(day, nothing).spent, days.get(day, nothing).events) for day in wanted]
