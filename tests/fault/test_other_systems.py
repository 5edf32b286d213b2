"""Other systems on the same Redis: tenants of ours, and the LMS's own Celery. Nobody takes what is another's."""

from collections.abc import Iterator

import pytest
from celery import Celery

from tests.support.events import at, enrolled, viewed
from tests.support.system import QUICK_START, System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess
from worker.contract.event import CloudEvent

FIRST = enrolled(1)


@pytest.fixture
def lms(system: System) -> Iterator[Celery]:
    """The LMS's own Celery application, with Celery's default names."""
    app = Celery(broker=system.settings.redis_url)
    yield app
    app.close()


def idle(system: System) -> CeleryProcess:
    """A worker that has applied the first event."""
    worker = system.start_worker(1)
    system.publish([FIRST])
    system.wait_until_drained()
    return worker


@pytest.mark.second_tier
def test_a_shutdown_that_the_lms_sends_to_all_its_workers_reaches_none_of_ours(system: System, lms: Celery) -> None:
    worker = idle(system)
    ours = Celery(broker=system.settings.redis_url)
    ours.conf.update(control_exchange=system.settings.stream_key)
    assert lms.control.ping(timeout=1) == []
    lms.control.broadcast("shutdown")
    lms.control.broadcast("cancel_consumer", arguments={"queue": system.settings.queue})
    (answer,) = ours.control.ping(timeout=5, limit=1) or []
    assert [*answer.values()] == [{"ok": "pong"}]
    events: list[CloudEvent] = [FIRST, viewed(1, 1, 1)]
    system.publish(events[1:])
    system.assert_exact(events)
    assert worker.is_running()
    ours.control.shutdown()
    assert worker.wait(20) == 0
    ours.close()


@pytest.mark.second_tier
def test_celerys_own_commands_find_our_workers_and_their_events(system: System) -> None:
    """`celery -A worker inspect` and `events`, as every Celery user expects."""
    idle(system)
    inspect = system.start("inspect", "ping", "--timeout", "5")
    assert inspect.wait(30) == 0, inspect.tail()
    assert "pong" in inspect.tail()
    enable = system.start("control", "enable_events", "--timeout", "5")
    assert enable.wait(30) == 0, enable.tail()
    listening = system.start("events", "--dump")
    wait_until(lambda: "heartbeat" in listening.log.read_text(), 20, "an event of the worker's")


def test_two_systems_with_different_stream_keys_and_no_word_about_queues_share_nothing(
    system: System, lms: Celery
) -> None:
    """The other one is told its stream key alone. Both write to one database, and log which entries were theirs."""
    worker = idle(system)
    other = f"{system.settings.stream_key}-other"
    lms.send_task(
        "progress.lesson_viewed",
        kwargs={"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "occurred_at": at(1).isoformat()},
        queue=f"progress:{other}",
    )
    environment = system.environment(stream_key=other)
    del environment["PROGRESS_QUEUE"]
    theirs = system.start("worker", "--concurrency", "1", *QUICK_START, environment=environment)
    wait_until(lambda: system.recorded() == 1, 20, "the event")
    assert sum(line["entries"] for line in theirs.wait_for_line("batch_recorded")) == 1
    assert sum(line["entries"] for line in worker.lines("batch_recorded")) == 1, "it took what is another's"
    assert worker.is_running()
    assert theirs.is_running()


@pytest.mark.second_tier
def test_a_worker_ends_with_a_sentence_where_its_queue_is_another_systems(system: System) -> None:
    worker = idle(system)
    other = f"{system.settings.stream_key}-other"
    theirs = system.start_worker(1, stream_key=other)
    assert theirs.wait(20) == 1
    (line,) = theirs.lines("queue_of_another_system")
    assert f"PROGRESS_STREAM_KEY={system.settings.stream_key}" in line["detail"]
    assert f"delete the key {system.settings.queue}:system" in line["detail"]
    assert worker.is_running()
    status, _ = worker.stop()
    assert status == 0
    events: list[CloudEvent] = [FIRST, viewed(1, 1, 1)]
    system.publish(events[1:])
    system.start_worker(1)
    system.assert_exact(events)
