"""Summaries and statistics on a real PostgreSQL: always those of the plain rules, whenever refreshed or read."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.costly import costly
from tests.support.events import entries
from tests.support.histories import Batches, histories, recorded_order
from tests.support.rollups import assert_rollups_equal_model, refresh_all
from tests.support.tables import clear, snapshot
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked
from worker.progress.reference import fold
from worker.summary.read import get_summary
from worker.summary.refresh import refresh_summaries
from worker.summary.rules import summaries


@costly
@given(batches=histories(), data=st.data())
def test_a_read_is_right_after_every_batch_and_a_refresh_equals_the_rules(
    engine: Engine, batches: Batches, data: st.DataObject
) -> None:
    clear(engine)
    for number, batch in enumerate(batches, 1):
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
        known = summaries(fold(recorded_order(batches[:number])))
        assert {key: get_summary(engine, key).summary for key in known} == known
        if data.draw(st.booleans()):
            refresh_summaries(engine, data.draw(st.integers(1, 3)), partial(bool, data.draw(st.booleans())))
            refresh_statistics(engine, 60, AnalysisThresholds().stuck)
            assert {key: get_summary(engine, key).summary for key in known} == known
    refresh_all(engine, chunk=2)
    assert_rollups_equal_model(engine, fold(recorded_order(batches)))


@costly
@given(batches=histories())
def test_refreshing_again_writes_nothing(engine: Engine, batches: Batches) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_all(engine)
    before = snapshot(engine)
    refresh_all(engine)
    assert snapshot(engine) == before
