"""`drain` applies everything that waits, beside other consumers and on a full Redis too, or says what is left."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.events import completed, enrolled, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.own_servers import OwnServers, own_servers
from tests.support.streams import add, deliver, full
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.event import Event
from worker.settings import Settings
from worker.streams import connection
from worker.streams.backlog import is_empty, measure
from worker.streams.connection import Redis
from worker.streams.keys import Keys


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command runs in this process."""
    monkeypatch.setattr("worker.consume.drain_until_empty.SLICE_SECONDS", 0.01)


def history() -> list[Event]:
    """Parked events, duplicates and several partitions."""
    events: list[Event] = []
    for number in range(1, 30):
        events += [viewed(number, lesson_id=each, seconds=each) for each in range(1, 5)]
        events += [completed(number, lesson_id=1, seconds=9), enrolled(number)]
    return events + events[:40]


@pytest.fixture
def events(settings: Settings, redis: Redis) -> list[Event]:
    """Published, and not read by anyone."""
    made = history()
    EventPublisher(settings=settings).publish_many(made)
    assert redis.ping()
    return made


def test_everything_that_waits_is_applied(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, events: list[Event]
) -> None:
    result = run(environment, "drain")
    assert (result.returncode, result.stdout) == (0, "Drained: lag 0, nothing pending.\n"), result.stderr
    assert_tables_equal_model(engine, events)
    keys = Keys.of(settings)
    backlogs = measure(redis, keys.group, keys.streams)
    assert is_empty(backlogs)
    assert [each.length for each in backlogs] == [0] * len(backlogs), "what is done with is trimmed"
    assert [each.consumers for each in backlogs] == [0] * len(backlogs), "the drain has left the group"


def test_draining_nothing_ends_at_once(environment: dict[str, str]) -> None:
    assert run(environment, "drain", "--timeout", "20").returncode == 0


def test_parked_events_of_an_enrollment_that_the_lms_inserted_are_applied(
    environment: dict[str, str], settings: Settings, engine: Engine
) -> None:
    EventPublisher(settings=settings).publish(viewed(5))
    assert invoke(environment, "drain").exit_code == 0
    assert rows(engine, "SELECT reason FROM dead_letter") == [("unknown_enrollment",)]
    with engine.begin() as connection_:
        connection_.exec_driver_sql("INSERT INTO user_course (id, user_id, course_id) VALUES (5, 1, 1)")
    assert invoke(environment, "drain").exit_code == 0
    assert rows(engine, "SELECT count(*) FROM dead_letter UNION ALL SELECT count(*) FROM lesson_event") == [(0,), (1,)]


def test_entries_of_a_dead_consumer_are_taken_over(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, consumer: Consumer
) -> None:
    Recovery(consumer).recover()
    made: list[Event] = [enrolled(8), viewed(8)]
    ids = add(redis, settings.stream_key, made)
    deliver(redis, settings.stream_key, "dead", ids, times=1)
    result = invoke({**environment, "PROGRESS_RECLAIM_IDLE_SECONDS": "1"}, "drain")
    assert result.exit_code == 0, result.stderr
    assert_tables_equal_model(engine, made)


def test_what_another_consumer_has_leased_is_waited_for(
    environment: dict[str, str], settings: Settings, engine: Engine, new_consumer: Callable[..., Consumer]
) -> None:
    environment["PROGRESS_LEASE_SECONDS"] = "60"
    other = new_consumer(lease_seconds=60)
    Recovery(other).recover()
    other.leases.acquire_free()
    made: list[Event] = [enrolled(8), viewed(8)]
    EventPublisher(settings=settings).publish_many(made)
    left = run(environment, "drain", "--timeout", "1.5")
    assert left.returncode == 1
    assert "Time is up: 2 entries unread and 0 pending are left. Nothing is lost." in left.stderr

    draining = subprocess.Popen(
        [sys.executable, "-m", "worker.cli.main", "drain"], env=environment, stdout=subprocess.PIPE
    )
    try:
        wait_until(lambda: other.redis.get(other.keys.wanted), what="the other's wish for work")
        assert draining.poll() is None
        other.leases.release()
        output, _ = draining.communicate(timeout=30)
    finally:
        draining.kill()
        draining.wait()
    assert (draining.returncode, output) == (0, b"Drained: lag 0, nothing pending.\n")
    assert_tables_equal_model(engine, made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly_with_nothing_pending(
    environment: dict[str, str],
    settings: Settings,
    redis: Redis,
    new_consumer: Callable[..., Consumer],
    number: signal.Signals,
) -> None:
    environment["PROGRESS_LEASE_SECONDS"] = "60"
    other = new_consumer(lease_seconds=60)
    Recovery(other).recover()
    other.leases.acquire_free()
    EventPublisher(settings=settings).publish(enrolled(8))
    draining = subprocess.Popen(
        [sys.executable, "-m", "worker.cli.main", "drain"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: other.redis.get(other.keys.wanted), what="the drain")
        draining.send_signal(number)
        output, errors = draining.communicate(timeout=15)
    finally:
        draining.kill()
        draining.wait()
    assert (draining.returncode, output, errors) == (128 + number, b"", b"")
    assert sum(each.pending for each in measure(redis, other.keys.group, other.keys.streams)) == 0


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServers]:
    """A Valkey that may be filled."""
    with own_servers() as servers:
        yield servers


def test_a_full_redis_is_emptied(
    environment: dict[str, str], settings: Settings, engine: Engine, own: OwnServers
) -> None:
    limited = settings.model_copy(update={"redis_url": own.redis_url})
    redis = connection.connect(limited)
    made = history()
    assert invoke({**environment, "REDIS_URL": own.redis_url}, "drain").exit_code == 0  # makes the groups
    EventPublisher(settings=limited).publish_many(made)
    with full(redis):
        result = run({**environment, "REDIS_URL": own.redis_url}, "drain", "--timeout", "30")
    redis.close()
    assert (result.returncode, result.stdout) == (0, "Drained: lag 0, nothing pending.\n"), result.stderr
    assert_tables_equal_model(engine, made)
