"""What is published is applied: by an idle worker, without beat, by every kind of pool, with one log line a batch."""

import json
from functools import partial

import pytest
from celery import Celery

from tests.support import oulad
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import insert_as_lms, rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent


def test_every_event_published_to_an_idle_worker_and_beat_arrives(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1)]
    system.start_worker(2)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    for number in range(1, 31):
        events.append(viewed(1, 1, number, seconds=number))
        system.publish(events[-1:])
        wait_until(partial(has_recorded, system, number), 30, f"the row of event {number}")
    system.assert_exact(events)


def has_recorded(system: System, count: int) -> bool:
    return system.recorded() == count


def test_each_batch_is_one_json_line_and_hardly_anything_else_is_said(system: System) -> None:
    lines = oulad.generate(5_000)
    system.publish_bodies(lines)
    worker = system.start_worker(2, reclaim_idle_seconds=600)  # each entry is read once, however slow the machine
    system.start_beat()
    system.assert_exact(oulad.parse(lines))
    batches = worker.lines("batch_recorded")
    assert sum(line["entries"] - line["deferred"] for line in batches) == len(
        lines
    )  # deferred beside a refresh: read again
    counts = ("applied", "repeated", "parked", "deferred")
    assert all(line["entries"] == sum(line[count] for count in counts) for line in batches)
    assert all({"timestamp", "level", "consumer", "seconds"} <= line.keys() for line in batches)
    said = worker.log.read_text().partition("\n{")[2].splitlines()  # below Celery's banner
    assert all(json.loads(line) for line in said[1:]), "a line is not JSON"
    regular = {"batch_recorded", "maintained", "refreshed"}  # so many batches and, the longer it takes, so many tasks
    others = [line["event"] for line in worker.lines() if line["event"] not in regular]
    assert len(others) < 8, others


@pytest.mark.second_tier
def test_a_worker_without_beat_drains_what_was_there_and_what_comes(system: System) -> None:
    lines = oulad.generate(2_000)
    system.publish_bodies(lines[:1_000])
    system.start_worker(2, slice_seconds=0.5)
    system.assert_exact(oulad.parse(lines[:1_000]))
    for start in range(1_000, len(lines), 200):  # over several slices: each wakes up the next
        system.publish_bodies(lines[start : start + 200])
        system.wait_until_drained()
    system.assert_exact(oulad.parse(lines))


def test_a_wake_up_by_hand_starts_a_worker_that_has_lost_its_own(system: System) -> None:
    """It wakes itself up only while it takes from its queue: what a drain asks for meanwhile is lost."""
    lines = oulad.generate(500)
    worker = system.start_worker(1, slice_seconds=0.5, wake_up_seconds=3600)
    app = Celery(broker=system.settings.redis_url)
    app.conf.update(task_default_queue=system.settings.queue, control_exchange=system.settings.stream_key)
    system.publish_bodies(lines[:100])
    system.wait_until_drained()

    app.control.cancel_consumer(system.settings.queue, reply=True, limit=1)
    inspect = app.control.inspect(limit=1)
    wait_until(
        lambda: not any(each for tasks in (inspect.active(), inspect.reserved()) for each in (tasks or {}).values()),
        what="the end of the last drain",
    )
    system.publish_bodies(lines[100:])
    app.control.add_consumer(system.settings.queue, reply=True, limit=1)
    assert not any((inspect.active() or {}).values())
    assert system.unread() == len(lines) - 100
    app.send_task("progress.consume_events")
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()
    app.close()


def test_expired_wake_ups_are_dropped_and_events_applied_all_the_same(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    app = Celery(broker=system.settings.redis_url)
    app.conf.task_default_queue = system.settings.queue
    for _ in range(50):
        app.send_task("progress.consume_events", expires=-1)
    app.close()
    assert system.redis.llen(system.settings.queue) == 50
    system.publish(events)
    worker = system.start_worker(1, slice_seconds=20)
    system.assert_exact(events)
    wait_until(lambda: system.redis.llen(system.settings.queue) == 0, what="the end of the old wake-ups")
    assert worker.is_running()


@pytest.mark.parametrize("pool", ["solo", "threads"])
@pytest.mark.second_tier
def test_other_pools_work_too(system: System, pool: str) -> None:
    lines = oulad.generate(2_000)
    worker = system.start_worker(2, "--pool", pool)
    system.start_beat()
    system.publish_bodies(lines)
    system.assert_exact(oulad.parse(lines))
    status, seconds = worker.stop()
    assert status == 0
    assert seconds < 10
    assert system.consumers() == set()


@pytest.mark.second_tier
def test_an_event_parked_until_the_lms_inserted_its_enrollment_is_applied_within_ten_seconds(system: System) -> None:
    """With beat's own schedule."""
    events: list[CloudEvent] = [viewed(1, 1, number, seconds=number) for number in range(1, 6)]
    system.start_worker(2, slice_seconds=10)
    system.start_beat(maintain_seconds=5)
    system.publish(events)
    system.wait_until_drained()
    assert system.dead_letters() == {"unknown_enrollment": 5}
    insert_as_lms(system.engine, 1)
    wait_until(lambda: not system.dead_letters(), 10, "the sweep")
    system.assert_exact(events, lms_rows={1: (70, 30)})
    assert rows(system.engine, "SELECT current_lesson FROM user_course") == [(5,)]
