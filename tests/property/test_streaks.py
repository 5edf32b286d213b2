"""Streaks over random days: order-free, monotone, and equal to the definition word for word."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement

from hypothesis import given
from hypothesis import strategies as st

from tests.support.zones import active_days, only
from worker.analytics.rules.streaks import is_dormant, last_seen, streaks

TODAY = date(2025, 7, 31)

days = st.lists(st.integers(0, 40).map(lambda before: TODAY - timedelta(days=before)), max_size=40)
graces = st.booleans()


def missed_between(active: set[date], first: date, last: date, *, grace_weekends: bool) -> bool:
    """Whether any day strictly between was missed."""
    between = [first + timedelta(days=more) for more in range(1, (last - first).days)]
    return any(day not in active and not (grace_weekends and day.isoweekday() in {6, 7}) for day in between)


@given(active=days, grace_weekends=graces)
def test_streaks_are_those_of_the_definition_word_for_word(active: list[date], grace_weekends: bool) -> None:
    ended = set(active)

    def together(first: date, last: date) -> bool:
        return not missed_between(ended, first, last, grace_weekends=grace_weekends)

    spans = [(first, last) for first, last in combinations_with_replacement(sorted(ended), 2) if together(first, last)]
    lengths = [(len([day for day in ended if first <= day <= last]), first, last) for first, last in spans]
    best = max((length for length, _, _ in lengths), default=0)
    found = streaks(active, TODAY, grace_weekends=grace_weekends)
    assert found.current == len([day for day in ended if together(day, TODAY)])
    assert found.longest == best
    assert (found.longest_began_on, found.longest_ended_on) == min(
        ((first, last) for length, first, last in lengths if length == best), default=(None, None)
    )


@given(active=days, data=st.data(), grace_weekends=graces)
def test_order_and_repetition_of_days_do_not_matter(
    active: list[date], data: st.DataObject, grace_weekends: bool
) -> None:
    again = data.draw(st.permutations(active + (data.draw(st.lists(st.sampled_from(active))) if active else [])))
    assert streaks(again, TODAY, grace_weekends=grace_weekends) == streaks(active, TODAY, grace_weekends=grace_weekends)
    assert last_seen(again, TODAY) == last_seen(active, TODAY)


@given(active=days, more=days, grace_weekends=graces)
def test_more_active_days_shorten_no_streak_and_make_nobody_dormant(
    active: list[date], more: list[date], grace_weekends: bool
) -> None:
    before, after = (streaks(each, TODAY, grace_weekends=grace_weekends) for each in (active, active + more))
    assert after.current >= before.current
    assert after.longest >= before.longest
    assert after.longest >= after.current
    if active:
        assert is_dormant(last_seen(active, TODAY), TODAY, 14) >= is_dormant(last_seen(active + more, TODAY), TODAY, 14)


@given(active=days)
def test_grace_shortens_no_streak(active: list[date]) -> None:
    strict, lenient = (streaks(active, TODAY, grace_weekends=grace) for grace in (False, True))
    assert lenient.current >= strict.current
    assert lenient.longest >= strict.longest


@given(
    times=st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001
    zone=st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "nowhere", None]),
)
def test_every_event_is_of_one_day_next_to_that_of_utc(times: list[datetime], zone: str | None) -> None:
    found = active_days(times, only(zone))
    assert len(found) <= len(times)
    assert all(any(abs((day - time.date()).days) <= 1 for day in found) for time in times)
    assert found == active_days(reversed(times + times), only(zone))
