"""The analysis of an enrolment on a real PostgreSQL: always what the rules say of its events, however they came."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import expected_activity, history_of
from tests.support.events import entries
from tests.support.figures import expected_figures
from tests.support.histories import Batches, arrangements, recorded_order
from tests.support.learners import NOW
from tests.support.months import TITLES, months
from tests.support.rollups import refresh_all
from tests.support.tables import clear
from worker.domain.achievement import achievements
from worker.domain.activity import Activity, Day, TimeSpent
from worker.domain.analysis import DayTime, LearnerAnalysis, TopicTime, VisitedLesson
from worker.domain.event import LessonEvent
from worker.domain.learner import LessonHistory
from worker.domain.local_day import local_day
from worker.domain.outline import Lesson, NextLesson
from worker.domain.progress import State, fold
from worker.domain.recommendation import recommendations
from worker.domain.streak import active_days, is_dormant, last_seen, streaks
from worker.domain.stuck import StuckRules, stuck
from worker.domain.summary import live_lessons, summaries
from worker.domain.velocity import projection, velocity
from worker.services.ingest import ingest
from worker.services.learner import analyse_learner
from worker.services.redrive import apply_parked
from worker.services.rules import AnalysisRules

histories = months([1, 2]).flatmap(arrangements)
rules = st.builds(
    AnalysisRules,
    grace_weekends=st.booleans(),
    dormant_days=st.integers(1, 20),
    stuck=st.builds(StuckRules, st.integers(1, 4), st.sampled_from([1.0, 1.5, 2.0])),
    hurried_share=st.sampled_from([0.25, 0.9]),
    revisits=st.integers(1, 3),
)


@given(batches=histories, rules=rules)
def test_the_analysis_is_what_the_rules_say_of_the_events(
    engine: Engine, batches: Batches, rules: AnalysisRules
) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_all(engine)
    state = fold(recorded_order(batches))
    activities, figures = expected_activity(state), expected_figures(state, rules.stuck)
    for key, event in state.enrollments.items():
        medians = {
            lesson: each.median_seconds
            for lesson, each in figures[event.data.course_id].lessons.items()
            if each.median_seconds is not None
        }
        found = analyse_learner(engine, key, NOW, rules)
        assert found == expected(state, key, activities[key], medians, rules, found)


def expected(
    state: State,
    key: int,
    activity: Activity,
    medians: dict[Lesson, float],
    rules: AnalysisRules,
    found: LearnerAnalysis,
) -> LearnerAnalysis:
    """From the events themselves; only when the activity was computed is taken as it was found."""
    its = [event for (each, _), event in state.ledger.items() if each == key and isinstance(event, LessonEvent)]
    told = state.enrollments[key].data
    today, active = local_day(NOW, told.timezone), active_days((event.time for event in its), told.timezone)
    history = history_of(state, key, activity)
    outline = live_lessons(state, told.course_id)
    order = sorted(history) if outline is None else outline
    nothing = Day(TimeSpent(0, 0), 0)
    last_days = [today - timedelta(days=27 - each) for each in range(28)]
    return LearnerAnalysis(
        user_course_id=key,
        course_id=told.course_id,
        spent=activity.spent,
        topics=[
            TopicTime(topic, activity.topics[topic])
            for topic in sorted(activity.topics, key=lambda topic: (place(topic, [each[0] for each in order]), topic))
        ],
        lessons=[
            visited(lesson, activity, history, TITLES.get(lesson) if outline and lesson in outline else None)
            for lesson in sorted(activity.lessons, key=lambda lesson: (place(lesson, order), lesson))
        ],
        days=[
            DayTime(day, activity.days.get(day, nothing).spent, activity.days.get(day, nothing).events)
            for day in last_days
        ],
        sessions=activity.sessions,
        session_seconds=activity.session_seconds,
        events_by_weekday=[
            [activity.events_by_hour[24 * weekday + hour] for hour in range(24)] for weekday in range(7)
        ],
        streaks=streaks(active, today, grace_weekends=rules.grace_weekends),
        last_seen_on=last_seen(active, today),
        is_dormant=is_dormant(last_seen(active, today), today, rules.dormant_days),
        velocity=velocity(history, outline, NOW),
        projection=projection(history, outline, NOW, told.timezone),
        stuck=stuck(history, order, medians, rules.stuck),
        recommendations=recommendations(
            next_of_summary(state, key),
            history,
            order,
            medians,
            hurried_share=rules.hurried_share,
            revisits=rules.revisits,
        ),
        achievements=achievements(
            history, outline, active, timezone=told.timezone, grace_weekends=rules.grace_weekends
        ),
        as_of=found.as_of,
    )


def visited(
    lesson: Lesson, activity: Activity, history: dict[Lesson, LessonHistory], title: str | None
) -> VisitedLesson:
    spent, visits = activity.lessons[lesson]
    times = (visits.first_visit_at, visits.last_visit_at)
    return VisitedLesson(
        *lesson, title, history[lesson].status, spent, visits.visits, visits.visits_to_complete, *times
    )


def next_of_summary(state: State, key: int) -> NextLesson | None:
    summary = summaries(state)[key]
    if summary.next_topic_id is None or summary.next_lesson_id is None or summary.next_reason is None:
        return None
    return NextLesson(summary.next_topic_id, summary.next_lesson_id, summary.next_reason)


def place(key: object, order: Sequence[object]) -> int:
    """Where it stands; at the end if nowhere."""
    return order.index(key) if key in order else len(order)
