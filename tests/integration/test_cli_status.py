"""`status` and `health ready` tell how the system is, and what is wrong with it."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, text

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, viewed
from tests.support.hosts import RecordingHost
from tests.support.own_servers import OwnServers, own_servers
from tests.support.rollups import refresh_all
from tests.support.streams import add, group_of
from tests.support.tables import TABLES, execute, insert_as_lms, rows
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.database import table_sizes
from worker.ops.redis_configuration import check_configuration
from worker.progress.ledger_lookups import NEWEST_PAGES, last_recorded_at
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis
from worker.summary.refresh import refresh_summaries

ROLLUPS = ("summaries", "course_statistics", "activity")


def test_an_untouched_system_has_nothing_to_show(environment: dict[str, str], redis: Redis) -> None:
    assert redis.ping()
    result = invoke(environment, "status")
    assert result.exit_code == 0, result.output
    for sentence in ("No stream exists yet", "No dead letters.", "Last commit: never"):
        assert sentence in result.stdout
    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert (shown["streams"], shown["lag"], shown["dead_letters"]) == ([], 0, {})
    assert shown["rows"]["lesson_event"] | {"bytes": 0} == {"rows": 0, "exact": True, "bytes": 0}
    assert {name: each["behind_seconds"] for name, each in shown["rollups"].items()} == dict.fromkeys(ROLLUPS, 0.0)
    assert all(datetime.fromisoformat(each["as_of"]).tzinfo for each in shown["rollups"].values())
    assert shown["last_recorded_at"] is None


def test_streams_tables_and_dead_letters_are_counted(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, consumer: Consumer
) -> None:
    publisher = EventPublisher(settings=settings)
    publisher.publish_many([enrolled(8), viewed(8), completed(8, lesson_id=2), viewed(16)])
    add(redis, settings.stream_key, [b"not JSON"])
    Drain(consumer, RecordingHost(), 0.5).run()
    publisher.publish_many([viewed(8, seconds=60), viewed(9), viewed(10)])
    partition = f"{settings.stream_key}:0"
    redis.xreadgroup(group_of(settings.stream_key), "someone", {partition: ">"})

    shown = json.loads(invoke(environment, "status", "--json").stdout)
    streams = {each["stream"]: each for each in shown["streams"]}
    assert (shown["lag"], shown["pending"]) == (2, 1)
    assert (streams[partition]["pending"], streams[partition]["lag"]) == (1, 0)
    assert streams[partition]["oldest_pending_seconds"] >= 0
    assert streams[f"{settings.stream_key}:1"]["oldest_unread_seconds"] >= 0
    assert shown["dead_letters"] == {"invalid_json": 1, "unknown_enrollment": 1}
    assert {name: each["rows"] for name, each in shown["rows"].items()} == dict.fromkeys(TABLES, 0) | {
        "user_course": 1,
        "user_course_progress": 2,
        "enrollment_event": 1,
        "lesson_event": 2,
        "dead_letter": 2,
        "progress_system": 1,
        "stream_position": rows(engine, "SELECT count(*) FROM stream_position")[0][0],
    }
    newest = rows(engine, "SELECT max(recorded_at) FROM lesson_event")[0][0]
    assert datetime.fromisoformat(shown["last_recorded_at"]) == newest
    assert shown["versions"]["postgresql"]
    assert shown["versions"]["redis"].split()[0] in {"Redis", "Valkey"}
    table = invoke(environment, "status").stdout
    assert f"{newest:%Y-%m-%d %H:%M:%S} UTC" in table
    assert "unknown_enrollment" in table


def test_each_rollup_is_as_of_the_oldest_change_that_it_does_not_show(
    environment: dict[str, str], engine: Engine
) -> None:
    insert_as_lms(engine, 1, 2)
    execute(engine, "UPDATE user_course SET stale_since = now() - id * interval '1 hour'")
    oldest = rows(engine, "SELECT min(stale_since) FROM user_course")[0][0]

    def rollups() -> dict[str, dict[str, Any]]:
        shown: dict[str, dict[str, Any]] = json.loads(invoke(environment, "status", "--json").stdout)["rollups"]
        return shown

    for shown in rollups().values():
        assert datetime.fromisoformat(shown["as_of"]) == oldest
        assert 7200 <= shown["behind_seconds"] < 7260
    table = invoke(environment, "status").stdout
    for name in ROLLUPS:
        assert re.search(rf"{name} +{oldest:%Y-%m-%d %H:%M:%S} UTC +2\.0 h", table)

    refresh_summaries(engine, 500)
    current = rollups()["summaries"]
    assert (datetime.fromisoformat(current["as_of"]) > oldest, current["behind_seconds"]) == (True, 0.0)
    for name in ROLLUPS[1:]:
        assert datetime.fromisoformat(rollups()[name]["as_of"]) == oldest
    assert re.search(r"summaries +now +0\.0 s", invoke(environment, "status").stdout)

    refresh_all(engine)
    assert {name: each["behind_seconds"] for name, each in rollups().items()} == dict.fromkeys(ROLLUPS, 0.0)


def test_a_change_ahead_of_the_clock_has_no_negative_age(environment: dict[str, str], engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "UPDATE user_course SET stale_since = now() + interval '1 hour'")
    shown = json.loads(invoke(environment, "status", "--json").stdout)["rollups"]["summaries"]
    assert (shown["as_of"] is not None, shown["behind_seconds"]) == (True, 0.0)


def test_large_tables_are_estimated_and_marked(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) SELECT n, n, 1 FROM generate_series(1, 5000) n")
    execute(engine, "ANALYZE user_course")
    monkeypatch.setattr(table_sizes, "COUNTED_EXACTLY_BYTES", 0)
    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert set(shown["rows"]) == set(TABLES)
    assert shown["rows"]["user_course"] | {"bytes": 0} == {"rows": 5_000, "exact": False, "bytes": 0}
    assert "~5,000" in invoke(environment, "status").stdout


def test_the_last_commit_is_found_at_the_end_of_a_large_ledger_without_reading_it_all(engine: Engine) -> None:
    execute(
        engine,
        "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 1, 1)",
        """
        INSERT INTO lesson_event (user_course_id, event_id, occurred_at, recorded_at, type, topic_id, lesson_id)
        SELECT 1, gen_random_uuid(), now(), timestamptz '2025-01-01' + n * interval '1 second', 'viewed', 1, 1
        FROM generate_series(1, 40000) n
        """,
    )
    with engine.connect() as connection_:
        pages = connection_.scalar(text("SELECT pg_relation_size('lesson_event') / 8192"))
        assert pages is not None
        assert pages > NEWEST_PAGES
        newest = connection_.scalar(text("SELECT max(recorded_at) FROM lesson_event"))
        assert last_recorded_at(connection_) == newest
        plan = "\n".join(
            connection_.scalars(text("EXPLAIN SELECT max(recorded_at) FROM lesson_event WHERE ctid >= '(100,0)'::tid"))
        )
    assert "Tid Range Scan" in plan


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServers]:
    """A Valkey whose configuration may be turned."""
    with own_servers() as servers:
        yield servers


def test_a_redis_that_may_lose_events_is_warned_about(environment: dict[str, str], own: OwnServers) -> None:
    redis = connection.connect(Settings(redis_url=own.redis_url))
    assert check_configuration(redis) == []
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("appendonly", "no")
    try:
        result = invoke({**environment, "REDIS_URL": own.redis_url}, "status")
        shown = json.loads(invoke({**environment, "REDIS_URL": own.redis_url}, "status", "--json").stdout)
    finally:
        redis.config_set("appendonly", "yes")
        redis.config_set("maxmemory-policy", "noeviction")
        redis.close()
    assert "Warning: Redis keeps no append-only file" in result.stdout
    assert "maxmemory-policy allkeys-lru" in result.stdout
    assert len(shown["warnings"]) == 2


def test_a_system_with_both_servers_and_tables_is_ready(environment: dict[str, str]) -> None:
    result = invoke(environment, "health", "ready")
    assert (result.exit_code, result.stdout) == (0, "PostgreSQL: ok\nRedis: ok\n")
    shown = json.loads(invoke(environment, "health", "ready", "--json").stdout)
    assert shown == {
        "ready": True,
        "checks": {"PostgreSQL": {"ok": True, "detail": None}, "Redis": {"ok": True, "detail": None}},
    }


def test_each_server_that_is_away_is_named(environment: dict[str, str]) -> None:
    result = invoke({**environment, "REDIS_URL": "redis://127.0.0.1:1/0"}, "health", "ready")
    assert result.exit_code == 1
    assert re.match("PostgreSQL: ok\nRedis: Redis does not answer at .*127.0.0.1:1", result.stdout)
    result = invoke({**environment, "DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "health", "ready", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["checks"]["PostgreSQL"]["ok"] is False


def test_a_database_that_cannot_be_written_is_not_ready(environment: dict[str, str], engine: Engine) -> None:
    execute(engine, f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = on')
    result = invoke(environment, "health", "ready")
    assert result.exit_code == 1
    assert "PostgreSQL: The database is read-only" in result.stdout


def test_tasks_that_an_lms_sent_to_celerys_default_queue_are_warned_of(
    environment: dict[str, str], own: OwnServers, redis: Redis
) -> None:
    lms = Celery(broker=own.redis_url)
    brokers = ({"REDIS_URL": own.redis_url}, {"PROGRESS_BROKER_URL": own.redis_url})

    def warnings(changes: dict[str, str]) -> list[str]:
        found: list[str] = json.loads(invoke(environment | changes, "status", "--json").stdout)["warnings"]
        return found

    assert redis.ping()
    lms.send_task("lms.mail", args=["progress.lesson_viewed"])
    assert [warnings(each) for each in brokers] == [[], []]
    lms.send_task("progress.lesson_viewed", args=[1, 2, 3])
    lms.close()
    for each in brokers:
        (warning,) = warnings(each)
        assert warning.startswith("Celery's queue celery holds progress.lesson_viewed tasks, which no worker of ours")
        assert f'queue="{environment["PROGRESS_QUEUE"]}"' in warning
        assert f"Degraded: {warning}" in invoke(environment | each, "health", "ready").stdout
    assert warnings({"PROGRESS_BROKER_URL": "redis://127.0.0.1:1/0"}) == []
    assert warnings({**brokers[0], "PROGRESS_QUEUE": "celery"}) == []
