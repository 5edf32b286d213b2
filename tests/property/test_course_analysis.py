"""The analysis of a course on a real PostgreSQL: always what the rules say of its events, however they came."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import expected_activity
from tests.support.course_analysis import expected_course
from tests.support.events import entries
from tests.support.histories import Batches, arrangements, recorded_order
from tests.support.learners import NOW
from tests.support.months import months
from tests.support.rollups import refresh_all
from tests.support.tables import clear
from worker.analytics.course_analysis import analyze_course
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked
from worker.progress.reference import fold

KEYS = [1, 2, 3, 4, 5]

histories = months(KEYS).flatmap(arrangements)
rules = st.builds(
    AnalysisThresholds,
    dormant_days=st.integers(1, 20),
    stuck=st.builds(StuckThresholds, st.integers(1, 4), st.sampled_from([1.0, 1.5, 2.0])),
    blocker_ratio=st.sampled_from([0.2, 0.5, 1.0]),
    min_learners=st.integers(1, 4),
)


@given(batches=histories, rules=rules)
def test_the_analysis_is_what_the_rules_say_of_the_events(
    engine: Engine, batches: Batches, rules: AnalysisThresholds
) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_all(engine, rules=rules.stuck)
    state = fold(recorded_order(batches))
    found = analyze_course(engine, 3, NOW, rules)
    assert found == expected_course(state, expected_activity(state), 3, rules, NOW, found.as_of)
