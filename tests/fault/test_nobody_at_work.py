"""Beat runs and no worker does, messages are lost, or thousands of old ones wait: a short queue, and work begins."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from celery import Celery
from redis import OutOfMemoryError

from tests.support.events import enrolled, viewed
from tests.support.own_servers import OwnServers
from tests.support.system import QUICK_START, System
from tests.support.wait import wait_until
from tests.support.worker_process import START_SECONDS, CeleryProcess
from worker.celery_support import broker_queue
from worker.contract.event import CloudEvent

SCHEDULED = [f"progress.{name}" for name in ("maintain", "refresh_summaries", "refresh_course_statistics")]
STARTED_SECONDS = 5.0
QUICK: dict[str, object] = dict.fromkeys(
    (f"{n}_seconds" for n in ("maintain", "summary", "statistics", "activity")), 0.02
)


def waiting(system: System) -> Counter[str]:
    """How many messages of each task wait in the queue."""
    messages = system.redis.lrange(system.settings.queue, 0, -1)
    return Counter(name for name in SCHEDULED for each in messages if f'"task": "{name}"'.encode() in each)


@pytest.mark.second_tier
def test_beat_without_workers_leaves_a_few_messages_of_each_task_and_the_first_event_is_applied_at_once(
    system: System,
) -> None:
    """A slice of 20 ms instead of 10 s: its pauses grow as far in 5 s as by default in 40 minutes."""
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    beat = system.start_beat(**QUICK, slice_seconds=0.02)
    mark = broker_queue.mark(system.settings.stream_key, SCHEDULED[0])
    wait_until(lambda: int(system.redis.get(mark) or 0) >= 40_000, 20, "a pause of 40 s")
    found = waiting(system)
    assert set(found) == set(SCHEDULED)
    assert max(found.values()) <= 5, found
    system.publish(events)
    worker = ready(system, system.start_worker(2, log_level="DEBUG"))
    worker.wait_for_line("batch_recorded", STARTED_SECONDS)
    worker.wait_for_line("maintained", 20, count=8)
    assert beat.is_running()
    system.assert_exact(events)


def test_behind_five_thousand_stale_messages_the_first_event_is_applied_within_five_seconds(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    app = Celery(broker=system.settings.redis_url)
    app.conf.task_default_queue = system.settings.queue
    names = [*SCHEDULED, "progress.consume_events"]
    with app.producer_pool.acquire() as producer:
        for number in range(5_000):
            app.send_task(names[number % len(names)], producer=producer, expires=600 if number % 2 else None)
    app.close()
    system.publish(events)
    worker = ready(system, system.start_worker(2, slice_seconds=10))
    wait_until(partial(recorded, system, 1), STARTED_SECONDS, "the first event")
    assert system.redis.llen(system.settings.queue) > 1_000, "nothing was in front of it"
    assert worker.is_running()
    system.assert_exact(events)


def ready(system: System, worker: CeleryProcess) -> CeleryProcess:
    """The worker, once it has come up; how long that takes is the machine's affair."""
    wait_until((system.settings.runtime_directory / f"worker-{worker.pid}").exists, START_SECONDS, "the worker")
    return worker


def recorded(system: System, count: int) -> bool:
    return system.recorded() == count


@pytest.mark.second_tier
def test_workers_of_one_queue_come_and_go_while_those_of_another_are_away(system: System, tmp_path: Path) -> None:
    """Routed by a module of one's own; each worker that connects lets the tasks be sent that it takes."""
    apart = f"{system.settings.queue}-apart"
    route = f'app.conf.task_routes["progress.refresh_activity"] = {{"queue": "{apart}"}}'
    (tmp_path / "routed.py").write_text(f"from worker.celery import app\n{route}\n", encoding="utf-8")
    app, environment = ("-A", "routed"), system.environment(slice_seconds=0.5, log_level="DEBUG")
    system.start(*app, "beat", environment=environment, cwd=tmp_path)
    wait_until(lambda: system.redis.llen(apart), 20, "a message")
    for _ in range(4):
        worker = system.start(*app, "worker", "-c", "2", *QUICK_START, environment=environment, cwd=tmp_path)
        worker.wait_for_line("maintained")
        worker.kill()
    assert system.redis.llen(apart) <= 3
    system.redis.delete(apart)
    other = system.start(
        "-A", "routed", "worker", "-c", "2", "-Q", apart, *QUICK_START, environment=environment, cwd=tmp_path
    )
    wait_until(lambda: "refresh_activity" in other.log.read_text(), 30, "its task, though the message was lost")
    assert not other.lines("maintained")


def test_workers_that_connect_and_do_nothing_let_no_queue_grow(system: System) -> None:
    """They end as soon as they have connected, again and again: each time the last messages may have been lost."""
    app = Celery("worker", broker=system.settings.redis_url)
    name, tasks = system.settings.queue, [f"progress.task_{number}" for number in range(5)]
    marks = [broker_queue.mark(system.settings.stream_key, task) for task in tasks]
    for _ in range(50):
        for task, mark in zip(tasks, marks, strict=True):
            if broker_queue.may_send(system.redis, mark, 60_000):
                app.send_task(task, queue=name)
        if broker_queue.is_short(system.redis, name):
            broker_queue.forget(system.redis, marks)
    app.close()
    assert system.redis.llen(name) <= broker_queue.SHORT_QUEUE_LENGTH + len(tasks)


def test_messages_lost_with_the_queue_cost_seconds(system: System) -> None:
    system.start_beat(**QUICK)
    wait_until(lambda: set(waiting(system)) == set(SCHEDULED), 20, "a message of each task")
    system.redis.delete(system.settings.queue)
    marks = [broker_queue.mark(system.settings.stream_key, name) for name in SCHEDULED]
    for mark in marks:  # as after a long pause
        system.redis.set(mark, broker_queue.DAY_MILLISECONDS, px=2 * broker_queue.DAY_MILLISECONDS)
    worker = system.start_worker(2, log_level="DEBUG")
    worker.wait_for_line("maintained", 10, count=2)


def test_a_redis_whose_clock_was_set_back_lets_beat_go_on(system: System) -> None:
    """A mark that ends an hour later than it can, with workers that were connected all the time."""
    worker = system.start_worker(2, log_level="DEBUG")
    system.start_beat(**QUICK)
    worker.wait_for_line("maintained")
    mark = broker_queue.mark(system.settings.stream_key, "progress.maintain")
    system.redis.set(mark, 4_000, px=broker_queue.DAY_MILLISECONDS + 4_000 + 3_600_000)
    count = len(worker.lines("maintained"))
    worker.wait_for_line("maintained", 10, count=count + 2)


def test_a_full_redis_keeps_no_worker_from_reading(own_redis_system: System, own_servers: OwnServers) -> None:
    """Broker and streams are one server; each drain ends at once, so that every event needs a wake-up of its own."""
    system = own_redis_system
    events: list[CloudEvent] = [enrolled(1)]
    system.publish(events)
    system.start_worker(2, slice_seconds=0.05, wake_up_seconds=0.3)
    system.assert_exact(events)
    wait_until(lambda: system.holder(system.settings.stream_key) is None, 30, "the end of the drain")
    events += [viewed(1, 1, number, seconds=number) for number in range(1, 4)]
    system.publish(events[1:])
    system.redis.config_set("maxmemory", 1)
    try:
        wait_until(partial(recorded, system, 3), 10, "what was published before")
        try:
            system.publish([enrolled(500)])
        except OutOfMemoryError:
            pass
        else:
            raise AssertionError("it was not full")
    finally:
        system.redis.config_set("maxmemory", 0)
    system.assert_exact(events)
    assert own_servers.redis_url
