"""Of every name of the tz database PostgreSQL makes the days and hours that Python makes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF, stored_activity
from tests.support.events import viewed
from tests.support.rollups import refresh_activity
from tests.support.tables import clear, execute
from tests.support.zones import only
from worker.analytics.rules.activity import activity
from worker.contract.event import LessonViewed

# What may stand in `user_course.timezone`: names, and what PostgreSQL takes for a zone beside them.
NAMES = [
    *sorted(available_timezones()),
    *("localtime", "posixrules", "posix/CET", "right/CET", "europe/berlin", "cet", "CEST", "PDT", "IST", "GMT+1"),
    *("UTC+1", "EST5", "<+03>-3", "+02", "Z", "z", "ALLBALLS", "now", "", ":CET", " CET", "Europe", "\U0001f680"),
]
PARTS = 10
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def clock_changes(name: str, year: int) -> Iterator[datetime]:
    """When the clocks of a zone were set in a year; of none, its beginning."""
    zone = ZoneInfo(name) if name in available_timezones() else UTC
    start = datetime(year, 1, 1, tzinfo=UTC)
    found = False
    for number in range(365):
        low, high = start + number * DAY, start + (number + 1) * DAY
        if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            continue
        found, before = True, low.astimezone(zone).utcoffset()
        while high - low > SECOND:
            middle = low + (high - low) // (2 * SECOND) * SECOND
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
        yield high
    if not found:
        yield start


@pytest.mark.parametrize(
    "part", [0, 1, *(pytest.param(part, marks=pytest.mark.second_tier) for part in range(2, PARTS))]
)
@settings(max_examples=1)
@given(
    year=st.integers(1980, 2037),
    offset=st.integers(-86_400, 86_400) | st.sampled_from([-1, 0, 59, 60, 900]),
    duration=st.sampled_from([60, 7_200]),
)
def test_days_and_hours_of_every_zone_are_those_of_python(
    engine: Engine, part: int, year: int, offset: int, duration: int
) -> None:
    clear(engine)
    events: dict[int, list[LessonViewed]] = {}
    names = NAMES[part::PARTS]
    for key, name in enumerate(names, 1):
        times = [change + offset * SECOND for change in clock_changes(name, year)]
        events[key] = [
            viewed(key, duration_seconds=duration if number % 2 else None).model_copy(update={"time": time})
            for number, time in enumerate(times, 1)
        ]
    execute(
        engine,
        """
        INSERT INTO user_course (id, user_id, course_id, timezone, stale_since)
        SELECT key, key, 1, name, NULL FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS given (name, key)
        """,
        names=names,
    )
    every = [event for its in events.values() for event in its]
    execute(
        engine,
        """
        INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id, duration_seconds)
        SELECT key, id, at, 'viewed', 1, 1, duration
        FROM unnest(
            CAST(:keys AS bigint[]), CAST(:ids AS uuid[]), CAST(:times AS timestamptz[]), CAST(:durations AS int[])
        ) AS given (key, id, at, duration)
        """,
        "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course",
        keys=[event.data.user_course_id for event in every],
        ids=[event.event_id for event in every],
        times=[event.time for event in every],
        durations=[event.data.duration_seconds for event in every],
    )
    assert refresh_activity(engine, 1_000, IDLE_CUTOFF.total_seconds()).failed == []
    stored = stored_activity(engine)
    differing = [
        name for key, name in enumerate(names, 1) if stored[key] != activity(events[key], {}, only(name), IDLE_CUTOFF)
    ]
    assert differing == []
