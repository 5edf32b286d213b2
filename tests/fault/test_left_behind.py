"""What the dead leave behind: a lease nobody uses, many pending entries, and beats that are two or none."""

import pytest

from tests.support import oulad
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent
from worker.streams import read


def test_a_partition_leased_by_somebody_who_does_not_read_is_read_all_the_same(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    stream = system.keys.stream_for(1)
    system.redis.set(system.keys.lease(stream), "nobody-1-00000000", ex=600)
    system.publish(events)
    system.start_worker(2, stalled_seconds=0.5, lease_seconds=600)
    system.start_beat()
    system.assert_exact(events)
    assert system.holder(stream) == "nobody-1-00000000", "the lease was taken, not passed by"


@pytest.mark.second_tier
def test_twenty_thousand_entries_pending_on_dead_consumers_are_taken_over_and_the_dead_disappear(
    system: System,
) -> None:
    lines = oulad.generate(20_000, learners=40)
    system.publish_bodies(lines)
    plain = system.settings.stream_key
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    for number in range(4):
        read.read_new(system.redis, system.keys.group, f"dead-{number}-00000000", [plain], 5_000, None)
    assert len(system.pending()) == 4
    assert sum(system.pending().values()) == 20_000
    wait_until(lambda: system.delivered(plain, 1)[0]["time_since_delivered"] >= 1_000, what="its age")
    worker = system.start_worker(2)
    system.start_beat()
    system.assert_exact(oulad.parse(lines), seconds=60)
    assert sum(line["entries"] for line in worker.lines("entries_reclaimed")) == 20_000
    wait_until(lambda: not any(name.startswith("dead-") for name in system.consumers()), 20, "their removal")


@pytest.mark.second_tier
def test_a_dead_consumer_with_something_pending_stays_until_that_is_taken_over(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    system.publish_bodies([event.model_dump_json(exclude_none=True).encode() for event in events])
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    read.read_new(system.redis, system.keys.group, "dead-1-00000000", [system.settings.stream_key], 10, None)
    worker = system.start_worker(3, reclaim_idle_seconds=12, slice_seconds=1, log_level="DEBUG")  # a sweep comes before
    system.start_beat(consumer_idle_seconds=0.5)
    worker.wait_for_line("maintained")
    assert system.pending() == {"dead-1-00000000": 2}
    system.assert_exact(events, seconds=40)
    wait_until(lambda: "dead-1-00000000" not in system.consumers(), 20, "its removal")


def test_two_beats_wake_up_and_maintain_without_harm(system: System) -> None:
    lines = oulad.generate(3_000)
    beats = [system.start_beat(maintain_seconds=0.1) for _ in range(2)]
    worker = system.start_worker(2, log_level="DEBUG")
    system.publish_bodies(lines)
    system.assert_exact(oulad.parse(lines))
    worker.wait_for_line("maintained", count=10)
    assert all(beat.is_running() for beat in beats)
    assert sum(line["applied"] for line in worker.lines("batch_recorded")) + sum(
        line["applied"] for line in worker.lines("parked_events_applied")
    ) == len(lines)


@pytest.mark.second_tier
def test_a_backlog_that_grew_without_beat_and_workers_drains_when_both_are_back(system: System) -> None:
    lines = oulad.generate(3_000)
    system.publish_bodies(lines[:1_000])
    first = system.start_beat()
    wait_until(lambda: system.redis.llen(system.settings.queue) >= 5, what="messages that nobody takes")
    first.kill()
    system.publish_bodies(lines[1_000:])
    system.start_worker(2)
    system.start_beat()
    system.assert_exact(oulad.parse(lines))
