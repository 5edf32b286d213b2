"""The laws of the design on a real PostgreSQL: any order, duplication and split gives the rows of the plain rules."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import entries
from tests.support.histories import ENROLLMENTS, arrangements, distinct_histories
from tests.support.model import assert_tables_equal_model
from tests.support.tables import clear, contents, insert_as_lms, snapshot
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked
from worker.summary.refresh import refresh_summaries

lms_rows = st.sets(st.sampled_from(ENROLLMENTS))


def record(engine: Engine, batches: Sequence[Sequence[Event]]) -> None:
    """What consumers do with batches, and then the refresh of summaries, where an outline decides on positions."""
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)
    refresh_summaries(engine, 500)


@given(data=st.data(), history=distinct_histories, inserted=lms_rows)
def test_permutation_duplication_and_split_give_equal_rows(
    engine: Engine, data: st.DataObject, history: list[Event], inserted: set[int]
) -> None:
    clear(engine)
    insert_as_lms(engine, *inserted)
    record(engine, [history])
    expected = contents(engine)
    expected.pop("dead_letter")

    clear(engine)
    insert_as_lms(engine, *inserted)
    batches = data.draw(arrangements(history))
    record(engine, batches)
    found = contents(engine)
    found.pop("dead_letter")
    assert found == expected
    assert_tables_equal_model(
        engine, [event for batch in batches for event in batch], lms_rows=dict.fromkeys(inserted, (70, 30))
    )


@given(data=st.data(), history=distinct_histories)
def test_applying_again_in_another_order_writes_nothing(
    engine: Engine, data: st.DataObject, history: list[Event]
) -> None:
    clear(engine)
    delivered = entries(history)
    apply_parked(engine, ingest(engine, delivered).enrolled)
    before = snapshot(engine)
    again = data.draw(st.permutations(delivered))
    cut = data.draw(st.integers(0, len(again)))
    for part in (again[:cut], again[cut:]):
        outcome = ingest(engine, part)
        assert outcome.enrolled == []
        apply_parked(engine, outcome.enrolled)
    sweep_parked(engine)
    assert snapshot(engine) == before
