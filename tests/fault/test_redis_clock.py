"""Redis boots with its clock an hour behind, as after a power cut.

Entries, leases and deliveries are then those of a server that is an hour ahead. They are made so here: by explicit
entry ids, by the rest of a lease's life, and by a restored stream.
"""

import time

import pytest

from tests.support.dumped import put_deliveries_ahead
from tests.support.events import body, enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from worker.contract.entry import FIELD
from worker.contract.event import CloudEvent
from worker.streams import read

AHEAD = 3_600_000
DEAD = "dead-1-00000000"
EVENTS: list[CloudEvent] = [enrolled(1), *(viewed(1, 1, n) for n in range(1, 50))]


def add_ahead(system: System, stream: str) -> list[str]:
    """Append the events as Redis did before the restart; their ids."""
    now = int(time.time() * 1000) + AHEAD
    ids = [f"{now}-{number}" for number in range(len(EVENTS))]
    for entry_id, event in zip(ids, EVENTS, strict=True):
        system.redis.xadd(stream, {FIELD: body(event)}, id=entry_id)
    return ids


def test_leases_that_outlive_the_hour_are_nobodys(system: System) -> None:
    for stream in system.keys.streams:
        system.redis.set(system.keys.lease(stream), DEAD, px=AHEAD + 4_000)
    add_ahead(system, system.keys.stream_for(1))
    system.start_worker(2, stalled_seconds=600)
    system.start_beat()
    system.assert_exact(EVENTS)
    assert DEAD not in {system.holder(stream) for stream in system.keys.streams}


def test_a_stream_that_its_holder_does_not_read_is_read_although_its_entries_have_no_age(system: System) -> None:
    stream = system.keys.stream_for(1)
    system.redis.set(system.keys.lease(stream), "frozen-1-00000000", ex=600)
    add_ahead(system, stream)
    system.start_worker(2, stalled_seconds=0.5, lease_seconds=600)
    system.start_beat()
    system.assert_exact(EVENTS)
    assert system.holder(stream) == "frozen-1-00000000", "the lease was taken, not passed by"


@pytest.mark.second_tier
def test_what_was_delivered_in_the_future_to_the_dead_is_taken_over(system: System) -> None:
    stream = system.keys.stream_for(1)
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    ids = add_ahead(system, stream)
    read.read_new(system.redis, system.keys.group, DEAD, [stream], len(ids), None)
    put_deliveries_ahead(system.redis, stream, ids[1:], AHEAD)  # the first one has been delivered since
    wait_until(lambda: system.delivered(stream)[0]["time_since_delivered"] > 0, what="the age of the first")
    assert {row["time_since_delivered"] for row in system.delivered(stream)[1:]} == {0}
    worker = system.start_worker(2)
    system.start_beat()
    system.assert_exact(EVENTS)
    assert sum(line["entries"] for line in worker.lines("entries_reclaimed")) == len(ids)
