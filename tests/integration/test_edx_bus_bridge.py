"""`bridge edx-bus` carries an LMS's event bus to our streams: each entry at least once, counted once, whoever dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from redis import RedisError
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.commands import invoke
from tests.support.edx_bus import ID, emitted, enrolled, entry
from tests.support.hosts import RecordingHost
from tests.support.named import rows_by_name
from tests.support.own_servers import own_servers
from tests.support.tables import rows
from tests.support.tracking import COMPLETION, COURSE, HTML, logged, tracked
from tests.support.wait import wait_until
from worker.bridge import edx_bus
from worker.bridge.edx_bus import EdxBusBridge
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.contract.connection import Connection
from worker.settings import Settings
from worker.streams import event_bus
from worker.streams.connection import Redis, connect
from worker.streams.keys import Keys

PUBLISHED = "org.openedx.content_authoring.xblock.published.v1"
Bridge = Callable[..., EdxBusBridge]


def completion(user: int, share: float = 1.0, second: int = 0) -> dict[str, Any]:
    data = {"user_id": user, "course_id": COURSE, "block_id": HTML, "completion": share, "is_new": False}
    return tracked(COMPLETION, data, timestamp=f"2024-03-04T10:30:{second:02}+00:00")


@pytest.fixture
def topic(settings: Settings) -> str:
    return f"{settings.stream_key}-analytics"


@pytest.fixture
def bridge(settings: Settings, redis: Redis, topic: str) -> Iterator[Bridge]:
    """Makes a bridge from a topic in the same Redis; keywords change it."""
    with EventPublisher(settings=settings) as publisher:

        def make(**changes: Any) -> EdxBusBridge:
            given: dict[str, Any] = {"bus": redis, "bus_settings": settings, "topics": [topic], "max_length": 10_000}
            given |= {"publisher": publisher, "settings": settings, "connection": Connection(name="edx")}
            return EdxBusBridge(**given | changes)

        yield make


def put(redis: Redis, topic: str, *entries: dict[bytes, bytes]) -> None:
    """As the LMS does."""
    for fields in entries:
        redis.xadd(topic, dict(fields.items()), maxlen=10_000, approximate=True)


def carry(bridge: EdxBusBridge, entries: int) -> list[Any]:
    """Run the bridge until it has carried so many entries; return what it logged."""
    stop = Event()
    carried = bridge._carry

    def carry_and_stop(its: Any) -> None:
        carried(its)
        if bridge.counts["entries"] >= entries:
            stop.set()

    vars(bridge)["_carry"] = carry_and_stop
    with capture_logs() as lines:
        bridge.run(stop)
    return lines


def published(redis: Redis, settings: Settings) -> list[dict[str, Any]]:
    its: list[Any] = [redis.xrange(stream) for stream in Keys.of(settings).streams]
    return [json.loads(fields[b"event"]) for entries in its for _, fields in entries]


def pending(redis: Redis, settings: Settings, topic: str) -> int:
    (waiting,) = event_bus.measure(redis, Keys.of(settings).group, [topic])
    return waiting.entries


def test_everything_is_carried_from_the_first_entry_on_and_acknowledged(
    settings: Settings, redis: Redis, bridge: Bridge, topic: str
) -> None:
    put(redis, topic, emitted(completion(4)), entry(PUBLISHED, b"\xff"), enrolled(), entry(COMPLETION, b""))
    put(redis, topic, emitted(completion(5, 0.0)), entry("org.openedx.learning.course.enrollment.created.v1", b"\xff"))
    lines = carry(bridge(), 6)
    assert sorted(each["type"] for each in published(redis, settings)) == [
        *("enrollment.created", "lesson.completed", "lesson.reopened", "record.rejected")
    ]
    assert pending(redis, settings, topic) == 0
    assert [line["event"] for line in lines] == ["bridge_started", "bridge_stopped"]
    counts = {name: lines[-1][name] for name in ("entries", "events", "ignored", "rejected")}
    assert counts == {"entries": 6, "events": 3, "ignored": 2, "rejected": 1}
    assert "ann" not in str(lines)


def test_a_log_and_the_bus_are_the_log(
    redis: Redis,
    engine: Engine,
    consumer: Consumer,
    bridge: Bridge,
    environment: dict[str, str],
    topic: str,
    tmp_path: Path,
) -> None:
    events = [completion(user, share, second) for user in range(1, 9) for second, share in enumerate((0.5, 1.0, 0.0))]
    events += [completion(user, 1.0, 9) for user in range(1, 5)]
    log = tmp_path / "tracking.log"
    log.write_text("".join(f"INFO [tracking] - {json.dumps(logged(each))}\n" for each in events), encoding="utf-8")
    result = invoke(environment, "publish", str(log), "--format", "edx", "--connection", "edx")
    assert result.exit_code == 0, result.output
    Drain(consumer, RecordingHost(), 1).run()
    ledger = "SELECT count(*), sum(hashtext(event_id::text)::bigint) FROM lesson_event"
    expected, recorded = rows_by_name(engine), rows(engine, ledger)
    assert len(expected) == 8
    put(redis, topic, *(emitted(each) for each in events))
    carry(bridge(), len(events))
    Drain(consumer, RecordingHost(), 1).run()
    assert rows_by_name(engine) == expected
    assert rows(engine, ledger) == recorded
    assert recorded[0][0] == len(events)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_what_a_dead_bridge_had_read_is_carried_by_the_next(
    settings: Settings, redis: Redis, bridge: Bridge, topic: str
) -> None:
    put(redis, topic, *(emitted(completion(user)) for user in range(1, 6)))
    group = Keys.of(settings).group
    event_bus.create_groups(redis, group, [topic])
    assert len(event_bus.read_new(redis, group, [topic], 3, 0.01)) == 3
    carry(bridge(), 5)
    assert len(published(redis, settings)) == 5
    assert pending(redis, settings, topic) == 0


def test_what_could_not_be_appended_is_not_acknowledged(
    settings: Settings, redis: Redis, bridge: Bridge, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edx_bus, "RETRY_SECONDS", 0.01)
    put(redis, topic, emitted(completion(4)))
    tried: list[int] = []

    class Full(EventPublisher):
        def publish_raw(self, bodies: Any) -> int:
            tried.append(pending(redis, settings, topic))
            if len(tried) < 3:
                raise RedisError("OOM command not allowed")
            return super().publish_raw(bodies)

    with Full(settings=settings) as publisher:
        lines = carry(bridge(publisher=publisher), 1)
    assert tried == [1, 1, 1]
    waits = [line["detail"] for line in lines if line["event"] == "bridge_waits"]
    assert waits == ["Redis refuses: OOM command not allowed"] * 2
    assert (len(published(redis, settings)), pending(redis, settings, topic)) == (1, 0)


def test_half_of_the_stream_waiting_is_a_warning_and_what_was_trimmed_is_told(
    settings: Settings, redis: Redis, bridge: Bridge, topic: str
) -> None:
    carry_none = bridge(max_length=20)
    event_bus.create_groups(redis, carry_none.group, [topic])
    put(redis, topic, *(emitted(completion(user)) for user in range(1, 10)))
    assert "bridge_lags" not in [line["event"] for line in carry(carry_none, 9)]
    put(redis, topic, *(emitted(completion(user, 0.5)) for user in range(1, 11)))
    read = event_bus.read_new(redis, carry_none.group, [topic], 2, 0.01)
    redis.xtrim(topic, maxlen=5, approximate=False)
    lines = carry(bridge(max_length=20), 7)
    assert [line for line in lines if line["event"] == "bridge_lags"] == [
        {"event": "bridge_lags", "topic": topic, "entries": 10, "trimmed_at": 20, "log_level": "warning"}
    ]
    lost = [line["entries"] for line in lines if line["event"] == "bridge_lost"]
    assert lost == [3, len(read)], "three never read, two read but not acknowledged"
    assert pending(redis, settings, topic) == 0


def test_a_lag_that_redis_does_not_know_is_counted(
    settings: Settings, redis: Redis, bridge: Bridge, topic: str
) -> None:
    put(redis, topic, *(emitted(completion(user)) for user in range(1, 8)))
    carry(bridge(), 7)
    put(redis, topic, *(emitted(completion(user, 0.5)) for user in range(1, 8)))
    entries: Any = redis.xrange(topic)
    redis.xdel(topic, entries[-3][0])
    groups: Any = redis.xinfo_groups(topic)
    assert [each["lag"] for each in groups] == [None]
    assert pending(redis, settings, topic) == 6


@contextmanager
def running(environment: dict[str, str], log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        command = [sys.executable, "-m", "worker.cli.main", "bridge", "edx-bus", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def test_a_process_that_is_killed_loses_nothing_and_sigterm_ends_it_cleanly(
    settings: Settings, redis: Redis, environment: dict[str, str], topic: str, tmp_path: Path
) -> None:
    there = {**environment, "PROGRESS_EDX_BUS_URL": str(settings.redis_url)}
    arguments = ("--connection", "edx", "--topic", topic, "--topic", f"{topic}-2")
    log = tmp_path / "log"
    with running(there, log, *arguments) as process:
        put(redis, topic, *(emitted(completion(user)) for user in range(1, 2_001)))
        wait_until(lambda: published(redis, settings), what="an event")
        process.kill()
    put(redis, f"{topic}-2", enrolled())
    with running(there, log, *arguments) as process:
        wait_until(lambda: pending(redis, settings, topic) == 0, what="the end of the backlog")
        wait_until(
            lambda: "enrollment.created" in {each["type"] for each in published(redis, settings)}, what="the other"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    text = log.read_text()
    assert "bridge_stopped" in text
    assert text.splitlines()[-1].startswith("Stopped: ")
    learners = [each["data"]["learner"] for each in published(redis, settings) if each["type"] == "lesson.completed"]
    assert {f"user:{user}" for user in range(1, 2_001)} == set(learners)
    assert ID in {each["id"] for each in published(redis, settings)}


def test_a_bus_that_restarts_is_waited_for(
    settings: Settings, redis: Redis, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edx_bus, "RETRY_SECONDS", 0.05)
    with own_servers() as servers:
        of_bus = settings.model_copy(update={"redis_url": servers.redis_url, "block_seconds": 1.0})
        with connect(of_bus) as bus:
            put(bus, "analytics", emitted(completion(1)))
            one = bridge(bus=bus, bus_settings=of_bus, topics=["analytics"])
            carried = one._carry

            def carry_then_restart(entries: Any) -> None:
                carried(entries)
                if one.counts["entries"] == 1:
                    servers.kill_valkey()
                    servers.start_valkey()
                    bus.delete("analytics")
                    put(bus, "analytics", emitted(completion(2)))

            vars(one)["_carry"] = carry_then_restart
            lines = carry(one, 2)
    assert sorted(each["data"]["learner"] for each in published(redis, settings)) == ["user:1", "user:2"]
    assert "bridge_waits" in [line["event"] for line in lines]


@pytest.mark.parametrize(
    ("variables", "arguments", "problem"),
    [
        ({}, ("--connection", "edx"), "PROGRESS_EDX_BUS_URL is not set"),
        (
            {"PROGRESS_EDX_BUS_URL": "http://x"},
            ("--connection", "edx"),
            "PROGRESS_EDX_BUS_URL: must start with redis://",
        ),
        (
            {"PROGRESS_EDX_BUS_URL": "redis://u:secret@127.0.0.1:1/0"},
            ("--connection", "edx"),
            "Redis does not answer at",
        ),
        ({}, (), "Give --connection NAME"),
    ],
)
def test_mistakes(
    environment: dict[str, str], variables: dict[str, str], arguments: tuple[str, ...], problem: str
) -> None:
    result = invoke({**environment, **variables}, "bridge", "edx-bus", *arguments)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert "secret" not in result.output
    if "answer" in problem:
        assert "is PROGRESS_EDX_BUS_URL right?" in result.stderr
    assert os.environ.get("PROGRESS_EDX_BUS_URL") is None
