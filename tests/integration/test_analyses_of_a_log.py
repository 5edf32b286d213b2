"""Every analysis of a whole log, the real one where it lies beside the repository: what plain Python says of it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from tests.support import oulad
from tests.support.activity import expected_activity, stored_activity
from tests.support.course_analysis import expected_course
from tests.support.events import entries
from tests.support.learner_analysis import expected_learners
from tests.support.model import expected_state
from tests.support.rollups import refresh_all
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest

pytestmark = pytest.mark.second_tier

RULES = AnalysisThresholds(grace_weekends=True, stuck=StuckThresholds(2, 2))


def test_every_analysis_of_a_whole_log_is_that_of_the_rules(engine: Engine) -> None:
    events = oulad.parse(oulad.load(real=True))
    for start in range(0, len(events), 4_000):
        ingest(engine, entries(events[start : start + 4_000]))
    refresh_all(engine, thresholds=RULES.stuck)
    state = expected_state(events)
    activities = expected_activity(state)
    assert stored_activity(engine) == activities

    now = max(event.time for event in events) - timedelta(days=20)
    learners = {key: analyze_learner(engine, key, now, RULES) for key in state.enrollments}
    as_of = {key: (each.as_of, each.course_as_of) for key, each in learners.items()}
    assert learners == expected_learners(state, activities, RULES, now, as_of)
    (course_id,) = state.outlines
    course = analyze_course(engine, course_id, now, RULES)
    assert course == expected_course(state, activities, course_id, RULES, now, course.as_of)

    assert any(each.difficulty for each in course.lessons)
    assert course.dormant
    if oulad.FILE.exists():  # generated learners go about at random: nobody is stuck for long
        assert any(each.stuck for each in learners.values())
