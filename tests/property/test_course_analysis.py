"""The analysis of a course on a real PostgreSQL: always what the rules say of its events, however they came."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import entries
from tests.support.figures import expected_figures
from tests.support.histories import Batches, arrangements, recorded_order
from tests.support.learners import NOW
from tests.support.months import TITLES, months
from tests.support.rollups import refresh_all
from tests.support.tables import clear
from worker.domain.activity import TimeSpent
from worker.domain.analysis import AnalysedLesson, CourseAnalysis, DormantLearner, Week
from worker.domain.difficulty import Signs, difficulties
from worker.domain.event import LessonEvent
from worker.domain.figures import CourseFigures, WeekFigures
from worker.domain.local_day import local_day
from worker.domain.progress import State, fold
from worker.domain.statistics import tallies
from worker.domain.streak import active_days, is_dormant, last_seen
from worker.domain.stuck import StuckRules, drop_off
from worker.domain.summary import summaries
from worker.services.course import analyse_course
from worker.services.ingest import ingest
from worker.services.redrive import apply_parked
from worker.services.rules import AnalysisRules

KEYS = [1, 2, 3, 4, 5]

histories = months(KEYS).flatmap(arrangements)
rules = st.builds(
    AnalysisRules,
    dormant_days=st.integers(1, 20),
    stuck=st.builds(StuckRules, st.integers(1, 4), st.sampled_from([1.0, 1.5, 2.0])),
    blocker_share=st.sampled_from([0.2, 0.5, 1.0]),
    least_learners=st.integers(1, 4),
)


@given(batches=histories, rules=rules)
def test_the_analysis_is_what_the_rules_say_of_the_events(
    engine: Engine, batches: Batches, rules: AnalysisRules
) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_all(engine, rules=rules.stuck)
    state = fold(recorded_order(batches))
    found = analyse_course(engine, 3, NOW, rules)
    assert found == expected(state, expected_figures(state, rules.stuck)[3], rules, found)


def expected(state: State, figures: CourseFigures, rules: AnalysisRules, found: CourseAnalysis) -> CourseAnalysis:
    """From the events themselves; only when the figures were computed is taken as it was found."""
    tally = tallies(state)[3]
    order = list(tally.lessons())
    if 3 not in state.outlines:
        order.sort()
    dormant = sorted(
        dormant_learners(state, rules), key=lambda each: (-each.last_seen_on.toordinal(), each.user_course_id)
    )
    signs = {
        lesson: Signs(
            tally.lessons()[lesson].started,
            figures.lessons[lesson].median_seconds,
            figures.lessons[lesson].median_visits_to_complete,
            drop_off(tally.lessons()[lesson].started, figures.lessons[lesson].stopped),
        )
        for lesson in order
    }
    difficult = difficulties(signs, least_learners=rules.least_learners)
    return CourseAnalysis(
        course_id=3,
        statistics=tally.course(),
        spent=figures.spent,
        sessions=figures.sessions,
        session_seconds=figures.session_seconds,
        median_days=figures.median_days,
        events_by_weekday=[[figures.events_by_hour[24 * weekday + hour] for hour in range(24)] for weekday in range(7)],
        weeks=weeks(figures),
        lessons=[
            AnalysedLesson(
                *lesson,
                title=TITLES.get(lesson) if 3 in state.outlines else None,
                statistics=tally.lessons()[lesson],
                visits=its.visits,
                spent=its.spent,
                median_seconds=its.median_seconds,
                median_visits_to_complete=its.median_visits_to_complete,
                median_days=its.median_days,
                stopped=its.stopped,
                stuck=its.stuck,
                drop_off=signs[lesson].drop_off,
                is_blocker=its.stopped >= rules.blocker_share * signs[lesson].learners > 0
                and signs[lesson].learners >= rules.least_learners,
                difficulty=difficult.get(lesson),
            )
            for lesson in order
            for its in [figures.lessons[lesson]]
        ],
        dormant_learners=len(dormant),
        dormant=dormant,
        as_of=found.as_of,
    )


def weeks(figures: CourseFigures) -> list[Week]:
    found, nothing = [], WeekFigures(0, 0, TimeSpent(0, 0))
    monday = min(figures.weeks, default=date.max)
    while monday <= max(figures.weeks, default=date.min):
        its = figures.weeks.get(monday, nothing)
        found.append(Week(monday, its.completed, its.learners, its.spent))
        monday += timedelta(days=7)
    return found


def dormant_learners(state: State, rules: AnalysisRules) -> list[DormantLearner]:
    found = []
    percentages = {key: each.completion_percentage for key, each in summaries(state).items()}
    for key, told in state.enrollments.items():
        zone = told.data.timezone
        its = [event for (each, _), event in state.ledger.items() if each == key and isinstance(event, LessonEvent)]
        today = local_day(NOW, zone)
        seen_on = last_seen(active_days((event.time for event in its), zone), today)
        if seen_on and is_dormant(seen_on, today, rules.dormant_days):
            found.append(DormantLearner(key, seen_on, percentages[key]))
    return found
