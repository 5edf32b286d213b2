"""Random hours of learners around the moments at which clocks and days change, in zones where that is unusual."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from tests.support.events import completed, corrected, enrolled, reopened, viewed
from worker.contract.event import Event

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
def zone_changes(draw: st.DrawFn) -> Sequence[Event]:
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
        kind: Any = draw(st.sampled_from([viewed, viewed, completed, corrected, reopened]))
        if kind is corrected:
            done_at = draw(st.none() | _offsets.map(moment.__add__))
            found.append(
                corrected(*lesson, **when, status="completed" if done_at else "in_progress", completed_at=done_at)
            )
        elif kind is reopened:
            found.append(reopened(*lesson, **when))
        else:
            duration = draw(st.none() | st.sampled_from([0, 1, 60, 1_800, 7_200, 86_400]))
            found.append(kind(*lesson, **when, duration_seconds=duration))
    return found
