"""Activity on a real PostgreSQL: always that of the plain rules, whatever came when, however often it is refreshed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF, expected_activity, stored_activity
from tests.support.costly import costly
from tests.support.events import completed, corrected, enrolled, entries, viewed
from tests.support.histories import Batches, arrangements, recorded_order
from tests.support.rollups import BEHIND, audited, refresh_all
from tests.support.tables import clear, execute, rows, snapshot
from worker.analytics.activity_refresh import refresh_activity
from worker.contract.event import Event
from worker.database import stale_marks
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked
from worker.progress.reference import fold
from worker.summary.refresh import refresh_summaries

CUTOFF = IDLE_CUTOFF.total_seconds()
ZONES = {
    "Europe/Berlin": [datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)],
    "America/Sao_Paulo": [datetime(2018, 11, 4, 3, tzinfo=UTC), datetime(2018, 2, 18, 2, tzinfo=UTC)],  # at midnight
    "America/Havana": [datetime(2024, 3, 10, 5, tzinfo=UTC), datetime(2024, 11, 3, 5, tzinfo=UTC)],  # midnight twice
    "Australia/Lord_Howe": [datetime(2024, 4, 6, 15, tzinfo=UTC)],  # by half an hour
    "America/St_Johns": [datetime(2006, 10, 29, 2, 30, tzinfo=UTC), datetime(2006, 10, 29, 2, 31, tzinfo=UTC)],  # 00:01
    "Asia/Kathmandu": [datetime(2024, 5, 1, 18, 15, tzinfo=UTC)],
    "Pacific/Apia": [datetime(2011, 12, 30, 10, tzinfo=UTC)],  # skipped a day
    "Not/AZone": [datetime(2024, 2, 29, tzinfo=UTC)],
}
"""Zones with moments at or near which their day or their clock changes."""

_minutes = st.sampled_from([0, 0, 1, 10, 29, 30, 30, 31, 60, 90, 600, 1_439, 1_440])
_offsets = st.builds(
    lambda sign, minutes, micro: timedelta(minutes=sign * minutes, microseconds=micro),
    st.sampled_from([-1, 1]),
    _minutes,
    st.sampled_from([0, 0, 0, -1, 1, 333_333]),
)
_moments = st.sampled_from([moment for moments in ZONES.values() for moment in moments])
_often_one = st.sampled_from([1, 1, 1, 2])
_enrollment = st.sampled_from([1, 1, 1, 2])


@st.composite
def learners(draw: st.DrawFn) -> Sequence[Event]:
    """Enrollments, some in a zone whose clock changes, with events on both sides of the change; some move elsewhere."""
    zones = st.sampled_from([None, *ZONES, *ZONES])
    number = iter(range(1, 1_000))
    moment = draw(_moments)

    def identity() -> str:
        return str(UUID(int=draw(st.integers(0, 2**64)) * 1_000 + next(number)))

    found: list[Event] = [enrolled(key, timezone=draw(zones), time=moment, id=identity()) for key in (1, 2)]
    moves = draw(st.lists(st.just(timedelta(seconds=1)) | _offsets, max_size=3))
    found += [enrolled(1, timezone=draw(zones), time=moment + offset, id=identity()) for offset in moves]
    for _ in range(draw(st.integers(1, 14))):
        lesson = (draw(_enrollment), draw(_often_one), draw(_often_one))
        when: dict[str, Any] = {"time": moment + draw(_offsets), "id": identity()}
        kind: Any = draw(st.sampled_from([viewed, viewed, completed, corrected]))
        if kind is corrected:
            done_at = draw(st.none() | _offsets.map(moment.__add__))
            found.append(
                corrected(*lesson, **when, status="completed" if done_at else "in_progress", completed_at=done_at)
            )
        else:
            duration = draw(st.none() | st.sampled_from([0, 1, 60, 1_800, 7_200, 86_400]))
            found.append(kind(*lesson, **when, duration_seconds=duration))
    return found


histories = learners().flatmap(arrangements)


def record(engine: Engine, batch: Sequence[Event]) -> None:
    apply_parked(engine, ingest(engine, entries(batch)).enrolled)


@costly
@given(batches=histories, data=st.data())
def test_what_is_refreshed_after_any_batch_equals_the_rules(
    engine: Engine, batches: Batches, data: st.DataObject
) -> None:
    clear(engine)
    for number, batch in enumerate(batches, 1):
        record(engine, batch)
        if data.draw(st.booleans()):
            refresh_summaries(engine, data.draw(st.integers(1, 3)), partial(bool, data.draw(st.booleans())))
            refresh_activity(engine, data.draw(st.integers(1, 3)), CUTOFF, partial(bool, data.draw(st.booleans())))
        if data.draw(st.booleans()):
            refresh_all(engine, chunk=2)
            known = fold(recorded_order(batches[:number]))
            assert stored_activity(engine) == expected_activity(known)
        assert audited(engine) == []
    refresh_all(engine, chunk=2)
    assert stored_activity(engine) == expected_activity(fold(recorded_order(batches)))
    assert audited(engine) == []


@costly
@given(batches=histories)
def test_another_cut_off_is_applied_to_what_is_marked_again(engine: Engine, batches: Batches) -> None:
    clear(engine)
    for batch in batches:
        record(engine, batch)
    refresh_all(engine)
    state = fold(recorded_order(batches))
    for minutes in (10, 60):
        with engine.begin() as connection:
            stale_marks.mark_activity(connection, list(state.enrollments))
        refresh_activity(engine, 500, 60 * minutes)
        assert stored_activity(engine) == expected_activity(state, timedelta(minutes=minutes))


@costly
@given(batches=histories)
def test_refreshing_again_writes_nothing_but_when(engine: Engine, batches: Batches) -> None:
    clear(engine)
    for batch in batches:
        record(engine, batch)
    refresh_all(engine)
    before = snapshot(engine)
    refresh_all(engine)
    assert snapshot(engine) == before
    execute(engine, "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course")
    refresh_all(engine)
    again = snapshot(engine)
    assert rows(engine, BEHIND) == [(False,)]
    for table in ("lesson_activity", "topic_activity", "daily_activity"):
        assert again[table] == before[table]
