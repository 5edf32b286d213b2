"""Somebody made a key of ours with another type (`SET lesson-events:3 x`): it is named once, and all else goes on."""

import json

import pytest
from redis import ResponseError

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import as_json, enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from worker.celery_support import broker_queue
from worker.client import EventPublisher
from worker.consume import leases as lease
from worker.consume.consumer import Consumer
from worker.contract.event import CloudEvent
from worker.settings import Settings
from worker.streams import quarantine_mark, refusal_mark
from worker.streams.connection import Redis
from worker.streams.keys import account, commits

LEARNERS = range(1, 17)


def spoil(redis: Redis, *names: str) -> None:
    """Put a list in each one's place."""
    pipeline = redis.pipeline(transaction=True)  # a worker may be writing it
    for name in names:
        pipeline.delete(name)
        pipeline.rpush(name, "something else")
    pipeline.execute()


@pytest.mark.parametrize("when", ["before the worker starts", "while it reads"])
@pytest.mark.parametrize("which", ["a partition", "the plain stream", "two partitions"])
@pytest.mark.second_tier
def test_a_stream_that_is_none_is_left_out_and_named_once(system: System, when: str, which: str) -> None:
    key, plain = system.settings.stream_key, [system.settings.stream_key]
    wrong = {"a partition": [f"{key}:3"], "the plain stream": plain, "two partitions": [f"{key}:0", f"{key}:3"]}[which]
    events: list[CloudEvent] = [enrolled(each) for each in LEARNERS]
    if when == "while it reads":
        worker = system.start_worker(2)
        system.publish(events)
        system.wait_until_drained()
        spoil(system.redis, *wrong)
    else:
        spoil(system.redis, *wrong)
        system.publish(events)
        worker = system.start_worker(2)
    system.start_beat()
    events += [viewed(each) for each in LEARNERS]
    by_api, late = viewed(3, 1, 9, seconds=9), viewed(3, 1, 10, seconds=10)
    assert system.publish(events[16:]) == 16, "those of the wrong key go to another stream"
    system.assert_exact(events)
    worker.wait_for_line("maintained")
    named = [line for line in worker.lines() if wrong[-1] in json.dumps(line.get("keys", ""))]
    assert 1 <= len(named) <= 2, "once a process"
    assert {line["event"] for line in named} == {"wrong_key_types"}

    environment, sentence = system.environment(), "Keys in Redis of the wrong type: "
    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert any(each.startswith(sentence) and f"{wrong[-1]} (list)" in each for each in shown["warnings"])
    assert len(shown["streams"]) == 9 - len(wrong)
    assert "progress_degraded 1.0" in invoke(environment, "metrics").stdout
    ready = invoke(environment, "health", "ready")
    assert (ready.exit_code, f"Degraded: {sentence}" in ready.stdout) == (0, True)
    for command in (["drain", "--timeout", "10"], ["replay"], ["system", "show"]):
        assert invoke(environment, *command).exit_code == 0, command
    with served(system.settings) as client:
        assert client.get("/readyz").json()["degraded"] == ["redis_keys"]
        sent = client.post(
            "/events",
            json=[as_json(by_api)],
            headers={"Content-Type": "application/cloudevents-batch+json", "Prefer": "respond-async"},
        )
        assert sent.status_code == 202, sent.text

    system.redis.delete(*wrong)
    wait_until(lambda: "Degraded" not in invoke(environment, "health", "ready").stdout, what="the end of it")
    system.publish([late])
    system.assert_exact([*events, by_api, late])


def test_small_keys_of_another_type_stop_nothing(system: System) -> None:
    """The plain stream's and a partition's; those that live for seconds are written anew."""
    events: list[CloudEvent] = [enrolled(each) for each in LEARNERS]
    system.start_worker(2)
    system.start_beat()
    system.publish(events)
    system.wait_until_drained()
    keys = system.keys
    for stream in (keys.stream_key, keys.partition(1)):
        spoil(system.redis, account(stream), commits(stream), keys.system(stream), keys.lease(stream))
    spoil(system.redis, keys.wanted, keys.refused, broker_queue.mark(keys.stream_key, "progress.maintain"))
    events += [viewed(each) for each in LEARNERS]
    system.publish(events[16:])
    system.assert_exact(events)
    (warning,) = [
        each
        for each in json.loads(invoke(system.environment(), "status", "--json").stdout)["warnings"]
        if each.startswith("Keys in Redis")
    ]
    assert f"{account(keys.partition(1))} (list)" in warning
    assert invoke(system.environment(), "metrics").exit_code == 0
    assert invoke(system.environment(), "drain", "--timeout", "10").exit_code == 0


@pytest.mark.second_tier
def test_a_queue_that_is_none_is_set_aside(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1)]
    worker = system.start_worker(2, log_level="DEBUG")
    system.start_beat()
    worker.wait_for_line("maintained")
    system.redis.set(system.settings.queue, "precious")
    line = worker.wait_for_line("queue_set_aside")[0]
    count = len(worker.lines("maintained"))
    system.publish(events)
    system.assert_exact(events)
    worker.wait_for_line("maintained", count=count + 1)
    assert system.redis.get(line["renamed"]) == b"precious"


# ---- One by one ------------------------------------------------------------------------------------------------------


def test_a_publisher_uses_another_stream_and_says_when_there_is_none(redis: Redis, settings: Settings) -> None:
    publisher = EventPublisher(settings=settings)
    spoil(redis, f"{settings.stream_key}:1")
    publisher.publish(viewed(1))
    assert publisher.publish_many([viewed(1, 1, 2), viewed(2, 1, 2)]) == 2
    assert (redis.xlen(settings.stream_key), redis.xlen(f"{settings.stream_key}:2")) == (2, 1)
    spoil(redis, settings.stream_key)
    for publish in (publisher.publish, lambda event: publisher.publish_many([event])):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            publish(viewed(1))
    publisher.close()


def test_leases_and_marks_of_another_type_are_written_anew(redis: Redis, consumer: Consumer) -> None:
    keys = consumer.keys
    names = [keys.lease(keys.stream_key), keys.wanted]
    leases = lease.Leases(redis, keys, "me", 5)
    leases.acquire_free()
    spoil(redis, *names)
    leases.renew()
    assert leases.complete
    assert not leases.is_wanted()
    spoil(redis, *names)
    leases.release()
    leases.want()
    leases.acquire_free()
    assert leases.complete
    spoil(redis, keys.refused, keys.quarantine(keys.stream_key, "1-1"), broker_queue.mark(keys.stream_key, "some"))
    assert refusal_mark.since(redis, keys.refused) is None
    with quarantine_mark.quarantine(redis, keys.quarantine(keys.stream_key, "1-1"), "me") as is_poison:
        assert not is_poison
    assert broker_queue.may_send(redis, broker_queue.mark(keys.stream_key, "some"), 1_000)
    assert not broker_queue.may_send(redis, broker_queue.mark(keys.stream_key, "some"), 1_000)
