"""Leases: one holder each, gone with their holder, and never a stranger's."""

from collections.abc import Callable

import pytest

from tests.support.wait import wait_until
from worker.consume.leases import Leases
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys

Make = Callable[..., Leases]


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.stream_key, 3)


@pytest.fixture
def make(redis: Redis, keys: Keys) -> Make:
    """The leases of a consumer of that name."""

    def leases(consumer: str, seconds: float = 60) -> Leases:
        return Leases(redis, keys, consumer, seconds)

    return leases


def test_all_streams_are_free_at_first(make: Make, keys: Keys) -> None:
    one = make("one")
    assert not one.complete
    one.acquire_free()
    assert one.complete
    assert one.held == keys.streams


def test_a_stream_has_one_holder(make: Make) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    two.acquire_free()
    assert two.held == ()


def test_what_is_given_back_another_takes(make: Make, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    one.release([keys.streams[1]])
    two.acquire_free()
    assert two.held == (keys.streams[1],)
    assert keys.streams[1] not in one.held
    one.release()
    two.acquire_free()
    assert two.complete


def test_a_mark_is_answered_with_half_rounded_down_and_never_with_the_last(make: Make) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    for left in (2, 1):
        two.want()
        assert one.answer_want()
        assert len(one.held) == left
    two.want()
    assert not one.answer_want()
    assert len(one.held) == 1
    two.acquire_free()
    assert len(two.held) == 3


def test_half_of_the_busy_streams_is_given_and_never_the_last_of_them(make: Make, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    busy, *others = keys.streams
    two.want()
    assert one.is_wanted({busy})
    assert one.answer_want({busy})
    assert busy in one.held
    assert len(one.held) == len(keys.streams) - 1
    two.want()
    one.release(others)
    assert one.held == (busy,)
    assert not one.is_wanted({busy})
    assert not one.answer_want({busy})


def test_two_busy_streams_are_shared(make: Make, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    two.want()
    assert one.answer_want(set(keys.streams[:2]))
    two.acquire_free()
    assert len({*keys.streams[:2]} & {*two.held}) == 1


def test_nobody_is_wanted_by_itself_or_without_a_mark(make: Make) -> None:
    one = make("one")
    one.acquire_free()
    assert not one.is_wanted()
    one.want()
    assert not one.is_wanted()


def test_a_lease_expires_with_its_silent_holder(make: Make) -> None:
    make("dead", seconds=0.05).acquire_free()
    two = make("two")

    def taken() -> bool:
        two.acquire_free()
        return two.complete

    wait_until(taken, what="expiry")


def test_a_lease_renewed_in_time_does_not_expire(make: Make, redis: Redis, keys: Keys) -> None:
    one = make("one", seconds=60)
    one.acquire_free()
    lease = keys.lease(keys.streams[0])
    redis.pexpire(lease, 1_000)
    one.renew()
    assert redis.pttl(lease) > 50_000


def test_renewing_takes_back_a_key_that_is_gone(make: Make, redis: Redis, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    redis.delete(keys.lease(keys.streams[0]))
    one.renew()
    two.acquire_free()
    assert one.complete
    assert two.held == ()
    assert 0 < redis.pttl(keys.lease(keys.streams[0])) <= 60_000


def test_renewing_forgets_what_another_took(make: Make, redis: Redis, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    redis.delete(keys.lease(keys.streams[2]))
    two.acquire_free()
    one.renew()
    assert one.held == keys.streams[:2] + keys.streams[3:]
    assert two.held == (keys.streams[2],)


def test_releasing_never_touches_anothers_lease(make: Make, redis: Redis, keys: Keys) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    redis.delete(*(keys.lease(stream) for stream in keys.streams))
    two.acquire_free()
    one.release()
    assert redis.get(keys.lease(keys.streams[0])) == b"two"


def test_a_mark_of_another_is_answered_once(make: Make) -> None:
    one, two, three = make("one"), make("two"), make("three")
    one.acquire_free()
    one.release(one.held[:2])
    two.acquire_free()
    assert not one.answer_want()
    three.want()
    assert one.answer_want()
    assert not two.answer_want()


def test_the_own_mark_is_no_call(make: Make) -> None:
    one, two = make("one"), make("two")
    one.acquire_free()
    one.release(one.held[:2])
    two.acquire_free()
    one.want()
    assert not one.answer_want()
    assert two.answer_want()


def test_a_mark_is_short_lived(make: Make, redis: Redis, keys: Keys) -> None:
    make("one").want()
    assert 0 < redis.ttl(keys.wanted) <= 2


@pytest.mark.parametrize("life", [None, 3_604_000, 61_000])
def test_a_lease_that_lives_longer_than_any_is_given_is_nobodys(
    make: Make, redis: Redis, keys: Keys, life: int | None
) -> None:
    """Redis' clock was set back, or somebody set the key by hand."""
    redis.set(keys.lease(keys.streams[1]), "dead", px=life)
    one = make("one", seconds=60)
    one.acquire_free()
    assert one.complete
    assert redis.get(keys.lease(keys.streams[1])) == b"one"
    assert 0 < redis.pttl(keys.lease(keys.streams[1])) <= 60_000


def test_a_lease_that_may_have_been_given_just_now_is_left_alone(make: Make, redis: Redis, keys: Keys) -> None:
    redis.set(keys.lease(keys.streams[1]), "two", px=60_000)
    one = make("one", seconds=60)
    one.acquire_free()
    assert one.held == (keys.streams[0], *keys.streams[2:])


def test_a_mark_that_outlives_its_time_is_answered_once(make: Make, redis: Redis, keys: Keys) -> None:
    one = make("one")
    one.acquire_free()
    redis.set(keys.wanted, "dead", px=3_602_000)
    assert one.answer_want()
    one.acquire_free()
    assert not one.answer_want()
    assert one.complete


def test_other_streams_may_be_leased_once_they_are_known(make: Make, keys: Keys) -> None:
    one = make("one")
    one.acquire_free()
    more = Keys(keys.stream_key, 3, (keys.partition(7),))
    one.adopt(more)
    assert not one.complete
    one.acquire_free()
    assert one.held == more.streams
    one.adopt(keys)
    assert one.held == keys.streams
