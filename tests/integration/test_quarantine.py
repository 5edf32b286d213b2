"""A quarantine's mark goes with any return; only a process that died in between leaves it behind."""

import pytest

from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.quarantine_mark import quarantine


@pytest.fixture
def key(settings: Settings) -> str:
    return f"{settings.stream_key}:quarantine:x"


def leave_behind(redis: Redis, key: str, count: int) -> None:
    """The marks of so many consumers that died in quarantine."""
    redis.sadd(key, *(f"dead-{number}" for number in range(count)))


def test_a_return_removes_the_mark(redis: Redis, key: str) -> None:
    with quarantine(redis, key, "one") as is_poison:
        assert not is_poison
        assert redis.exists(key)
        assert 0 < redis.ttl(key) <= 86_400
    assert not redis.exists(key)


def test_an_error_removes_the_mark(redis: Redis, key: str) -> None:
    with pytest.raises(ZeroDivisionError), quarantine(redis, key, "one"):
        raise ZeroDivisionError
    assert not redis.exists(key)


@pytest.mark.parametrize(("left_behind", "verdict"), [(1, False), (2, False), (3, True), (9, True)])
def test_three_marks_left_behind_mean_poison(redis: Redis, key: str, left_behind: int, verdict: bool) -> None:
    leave_behind(redis, key, left_behind)
    with quarantine(redis, key, "one") as is_poison:
        assert is_poison is verdict


def test_marks_of_deaths_outlive_a_return(redis: Redis, key: str) -> None:
    leave_behind(redis, key, 2)
    with quarantine(redis, key, "one"):
        pass
    with quarantine(redis, key, "two") as is_poison:
        assert not is_poison
    leave_behind(redis, key, 3)
    with quarantine(redis, key, "three") as is_poison:
        assert is_poison


def test_a_verdict_clears_the_marks(redis: Redis, key: str) -> None:
    leave_behind(redis, key, 3)
    with quarantine(redis, key, "one"):
        pass
    assert not redis.exists(key)
