"""What stands beside Celery's queues: marks that keep messages out for as long as they should, and whose a queue is."""

import pytest

from tests.support.wait import wait_until
from worker.celery_support import broker_queue
from worker.settings import Settings
from worker.streams.connection import Redis


@pytest.fixture
def mark(settings: Settings) -> str:
    return broker_queue.mark(settings.stream_key, "progress.maintain")


def test_a_message_keeps_the_next_one_out_until_it_is_taken(redis: Redis, mark: str) -> None:
    assert broker_queue.may_send(redis, mark, 60_000)
    assert not broker_queue.may_send(redis, mark, 60_000)
    broker_queue.forget(redis, [mark])
    assert broker_queue.may_send(redis, mark, 60_000)
    assert redis.get(mark) == b"60000"


def test_each_message_that_nobody_takes_is_waited_for_ten_times_longer_up_to_a_day(redis: Redis, mark: str) -> None:
    assert broker_queue.may_send(redis, mark, 5)
    for expected in (50, 500):
        wait_until(lambda: broker_queue.may_send(redis, mark, 5), what="the next message")
        assert redis.get(mark) == str(expected).encode()
    redis.set(
        mark, broker_queue.DAY_MILLISECONDS // 2, px=broker_queue.DAY_MILLISECONDS
    )  # over, the memory of it just begins
    assert broker_queue.may_send(redis, mark, 5)
    assert redis.get(mark) == str(broker_queue.DAY_MILLISECONDS).encode()
    assert not broker_queue.may_send(redis, mark, 5)
    assert broker_queue.DAY_MILLISECONDS < redis.pttl(mark) <= 2 * broker_queue.DAY_MILLISECONDS


@pytest.mark.parametrize("value", ["1000", "no number"])
def test_a_mark_that_ends_later_than_it_can_is_nobodys(redis: Redis, mark: str, value: str) -> None:
    redis.set(mark, value, px=broker_queue.DAY_MILLISECONDS + 3_600_000)
    assert broker_queue.may_send(redis, mark, 1_000)
    assert redis.get(mark) == b"1000"
    assert not broker_queue.may_send(redis, mark, 1_000)


def test_a_queue_is_of_the_first_system_that_claims_it(redis: Redis, settings: Settings) -> None:
    name, first = settings.queue, settings.stream_key
    assert broker_queue.claim(redis, name, first) == first
    assert broker_queue.claim(redis, name, first) == first
    assert broker_queue.claim(redis, name, "another") == first
