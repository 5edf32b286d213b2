"""What Redis says of its lag is a hint: whether an entry is there decides, for `status`, metrics and a drain's end.

After an XDEL, Redis 7.0 says 2 for ever where nothing is left. Newer servers can be made to say such a thing by
XGROUP SETID and XSETID.
"""

import json
from collections.abc import Callable

import pytest

from tests.support.commands import invoke
from tests.support.events import enrolled, viewed
from tests.support.streams import add, group_of
from worker.consume.consumer import Consumer
from worker.settings import Settings
from worker.streams import backlog, read
from worker.streams.connection import Redis

Distort = Callable[[Redis, str, str], object]


def setid(entries_read: int) -> Distort:
    def distort(redis: Redis, stream: str, last: str) -> object:
        return redis.xgroup_setid(stream, group_of(stream), last, entries_read=entries_read)

    return distort


def added(redis: Redis, stream: str, last: str) -> object:
    ask: Callable[..., object] = redis.execute_command
    return ask("XSETID", stream, last, "ENTRIESADDED", 50)


WRONG: dict[str, tuple[Distort, int]] = {
    "two too many": (setid(2), 2),
    "less than none": (setid(99), -95),
    "more than were ever there": (added, 46),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_lag_of_entries_that_are_not_there_is_none(
    environment: dict[str, str], redis: Redis, settings: Settings, consumer: Consumer, case: str
) -> None:
    stream, (distort, told) = f"{settings.stream_key}:1", WRONG[case]
    ids = add(redis, stream, [enrolled(1), viewed(1), viewed(1, 1, 2), viewed(1, 1, 3)])
    read.create_groups(redis, consumer.keys.group, [stream])
    read.acknowledge(redis, consumer.keys.group, read.read_new(redis, consumer.keys.group, "x", [stream], 4, None))
    distort(redis, stream, ids[-1])
    assert redis.xinfo_groups(stream)[0]["lag"] == told
    assert backlog.is_empty(backlog.measure(redis, consumer.keys.group, [stream]))
    assert json.loads(invoke(environment, "status", "--json").stdout)["lag"] == 0
    assert f'progress_stream_lag{{stream="{stream}"}} 0.0' in invoke(environment, "metrics").stdout

    add(redis, stream, [enrolled(9)])
    (measured,) = backlog.measure(redis, consumer.keys.group, [stream])
    assert not backlog.is_empty([measured])
    assert 1 <= measured.lag <= measured.length
    drained = invoke(environment, "drain", "--timeout", "20")
    assert (drained.exit_code, drained.stdout) == (0, "Drained: lag 0, nothing pending.\n")
    assert redis.xlen(stream) == 0


def test_a_drain_ends_after_somebody_deleted_what_nobody_had_read(
    environment: dict[str, str], redis: Redis, settings: Settings, consumer: Consumer
) -> None:
    """The field's case, and the same with the end or all of it taken out."""
    for number, deleted in enumerate(((2,), (2, 3), (3,))):
        stream = f"{settings.stream_key}:{number}"
        ids = add(redis, stream, [enrolled(8 + number), viewed(8 + number), viewed(8 + number), viewed(8 + number)])
        read.create_groups(redis, consumer.keys.group, [stream])
        given = read.read_new(redis, consumer.keys.group, "x", [stream], 2, None)
        read.acknowledge(redis, consumer.keys.group, given)
        redis.xdel(stream, *(ids[each] for each in deleted))
    drained = invoke(environment, "drain", "--timeout", "20")
    assert (drained.exit_code, drained.stdout) == (0, "Drained: lag 0, nothing pending.\n")
    assert json.loads(invoke(environment, "status", "--json").stdout)["lag"] == 0
