"""The analysis of an enrollment on a real PostgreSQL: always what the rules say of its events, however they came."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import expected_activity
from tests.support.events import entries
from tests.support.histories import Batches, arrangements, recorded_order
from tests.support.learner_analysis import expected_learners
from tests.support.learners import NOW
from tests.support.months import months
from tests.support.rollups import refresh_all
from tests.support.tables import clear
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked
from worker.progress.reference import fold

histories = months([1, 2]).flatmap(arrangements)
rules = st.builds(
    AnalysisThresholds,
    grace_weekends=st.booleans(),
    dormant_days=st.integers(1, 20),
    stuck=st.builds(StuckThresholds, st.integers(1, 4), st.sampled_from([1.0, 1.5, 2.0])),
    hurried_ratio=st.sampled_from([0.25, 0.9]),
    revisits=st.integers(1, 3),
)


@given(batches=histories, rules=rules)
def test_the_analysis_is_what_the_rules_say_of_the_events(
    engine: Engine, batches: Batches, rules: AnalysisThresholds
) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_all(engine)
    state = fold(recorded_order(batches))
    found = {key: analyze_learner(engine, key, NOW, rules) for key in state.enrollments}
    as_of = {key: each.as_of for key, each in found.items()}
    assert found == expected_learners(state, expected_activity(state), rules, NOW, as_of)
