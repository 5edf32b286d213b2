"""The analysis of learners as plain Python computes it from the events, beside no database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from tests.support.zones import active_days
from worker.analytics.analysis import WEEKS, DayTime, LearnerAnalysis, TopicTime, VisitedLesson, WeekTime
from worker.analytics.rules.achievements import achievements
from worker.analytics.rules.activity import Activity, Day, TimeSpent
from worker.analytics.rules.learner_history import LessonHistory, learners
from worker.analytics.rules.local_day import Zones, enrollment_zones, local_day
from worker.analytics.rules.recommendations import recommendations
from worker.analytics.rules.streaks import is_dormant, last_seen, streaks
from worker.analytics.rules.stuck import stuck
from worker.analytics.rules.time_statistics import CourseTimeStatistics, time_statistics_by_course
from worker.analytics.rules.velocity import projection, velocity
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import LessonEvent
from worker.contract.lesson import Lesson
from worker.progress.reference import State
from worker.summary.rules import Summary, live_lessons, summaries


def expected_learners(
    state: State,
    activities: Mapping[int, Activity],
    thresholds: AnalysisThresholds,
    now: datetime,
    as_of: Mapping[int, tuple[datetime | None, datetime | None]],
) -> dict[int, LearnerAnalysis]:
    """The analysis of every enrollment from events and activity; both instants `as_of` are given."""
    figures = time_statistics_by_course(state, activities, thresholds.stuck)
    events: dict[int, list[LessonEvent]] = {key: [] for key in state.enrollments}
    for (key, _), event in state.ledger.items():
        if isinstance(event, LessonEvent):
            events[key].append(event)
    known = learners(state, activities)
    summary = summaries(state)
    return {
        key: _expected(
            state,
            key,
            events[key],
            known[key][1],
            known[key][0],
            figures[event.data.course_id],
            summary[key],
            thresholds,
            now,
            *as_of[key],
        )
        for key, event in state.enrollments.items()
    }


def titles_of(state: State, course_id: int) -> dict[Lesson, str | None]:
    """Those of the outline; none where there is no outline."""
    return {(each.topic_id, each.lesson_id): each.title for each in state.outlines.get(course_id, ())}


def _medians(figures: CourseTimeStatistics) -> dict[Lesson, float]:
    known = {lesson: each.median_seconds for lesson, each in figures.lessons.items()}
    return {lesson: seconds for lesson, seconds in known.items() if seconds is not None}


def _expected(
    state: State,
    key: int,
    its: list[LessonEvent],
    activity: Activity,
    history: dict[Lesson, LessonHistory],
    figures: CourseTimeStatistics,
    summary: Summary,
    thresholds: AnalysisThresholds,
    now: datetime,
    as_of: datetime | None,
    course_as_of: datetime | None,
) -> LearnerAnalysis:
    told = state.enrollments[key].data
    zones = enrollment_zones(state.snapshots[key])
    today, active = local_day(now, zones), active_days((event.time for event in its), zones)
    outline = live_lessons(state, told.course_id)
    order = sorted(history) if outline is None else outline
    titles = titles_of(state, told.course_id)
    medians, nothing = _medians(figures), Day(TimeSpent(0, 0), 0)
    completions = [history.get(lesson, LessonHistory()) for lesson in outline or ()]
    is_finished = bool(completions) and all(each.completed for each in completions)
    times = [each.completed_at for each in completions if each.completed_at]
    completed_at = max(times) if is_finished and len(times) == len(completions) else None
    last_days = [today - timedelta(days=27 - each) for each in range(28)]
    return LearnerAnalysis(
        user_course_id=key,
        course_id=told.course_id,
        total_lessons=summary.total_lessons,
        total_is_known=told.course_id in state.outlines,
        completed_lessons=summary.completed_lessons,
        completion_percentage=summary.completion_percentage,
        spent=activity.spent,
        topics=[
            TopicTime(topic, activity.topics[topic])
            for topic in sorted(activity.topics, key=lambda topic: (_place(topic, [each[0] for each in order]), topic))
        ],
        lessons=[
            _visited(lesson, activity, history, titles.get(lesson))
            for lesson in sorted(activity.lessons, key=lambda lesson: (_place(lesson, order), lesson))
        ],
        days=[
            DayTime(day, activity.days.get(day, nothing).spent, activity.days.get(day, nothing).events)
            for day in last_days
        ],
        weeks=_weeks(activity, history, order, zones, today),
        sessions=activity.sessions,
        session_seconds=activity.session_seconds,
        events_by_weekday=[
            [activity.events_by_hour[24 * weekday + hour] for hour in range(24)] for weekday in range(7)
        ],
        doubtful_events=activity.doubtful_events,
        streaks=streaks(active, today, grace_weekends=thresholds.grace_weekends),
        last_seen_on=last_seen(active, today),
        is_dormant=is_dormant(last_seen(active, today), today, thresholds.dormant_days) and not is_finished,
        is_finished=is_finished,
        completed_at=completed_at,
        completed_on=local_day(completed_at, zones) if completed_at else None,
        velocity=velocity(history, outline, now),
        projection=projection(
            history,
            outline,
            now,
            zones,
            last_at=max((event.time for event in its), default=None),
            course_days=figures.median_days,
        ),
        stuck=[
            replace(each, title=titles.get((each.topic_id, each.lesson_id)))
            for each in stuck(history, order, medians, thresholds.stuck)
        ],
        recommendations=[
            replace(each, title=titles.get((each.topic_id, each.lesson_id)))
            for each in recommendations(
                summary.following,
                history,
                order,
                medians,
                hurried_ratio=thresholds.hurried_ratio,
                revisits=thresholds.revisits,
            )
        ],
        achievements=achievements(history, outline, active, zones=zones, grace_weekends=thresholds.grace_weekends),
        as_of=as_of,
        pending=0,
        course_as_of=course_as_of,
    )


def _weeks(
    activity: Activity, history: dict[Lesson, LessonHistory], order: Sequence[Lesson], zones: Zones, today: date
) -> list[WeekTime]:
    completed = [
        local_day(each.completed_at, zones)
        for lesson, each in history.items()
        if lesson in order and each.completed and each.completed_at
    ]
    touched = [*completed, *activity.days]
    if not touched:
        return []
    found, monday = [], min(touched) - timedelta(days=min(touched).weekday())
    while monday <= max(*touched, today):
        week = {monday + timedelta(days=each) for each in range(7)}
        its = [activity.days[day] for day in week & activity.days.keys()]
        spent = TimeSpent(
            round(sum(day.spent.seconds for day in its), 6), round(sum(day.spent.measured_seconds for day in its), 6)
        )
        events = sum(day.events for day in its)
        found.append(WeekTime(monday, sum(day in week for day in completed), spent, events))
        monday += timedelta(days=7)
    return found[-WEEKS:]


def _visited(
    lesson: Lesson, activity: Activity, history: dict[Lesson, LessonHistory], title: str | None
) -> VisitedLesson:
    spent, visits = activity.lessons[lesson]
    times = (visits.first_visit_at, visits.last_visit_at)
    return VisitedLesson(
        *lesson, title, history[lesson].status, spent, visits.visits, visits.visits_to_complete, *times
    )


def _place(key: object, order: Sequence[object]) -> int:
    """Where it stands; at the end if nowhere."""
    return order.index(key) if key in order else len(order)
