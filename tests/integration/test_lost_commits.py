"""What PostgreSQL has committed is held against what Redis has acknowledged: losses are seen, and nothing else is."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.events import enrolled, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, group_of
from tests.support.tables import execute, rows
from worker.cli.local_system import System
from worker.cli.up import warn_of_other_system
from worker.consume.consumer import Consumer
from worker.consume.maintenance import maintain
from worker.consume.recovery import Recovery
from worker.contract.entry_id import parse_id
from worker.contract.event import Event
from worker.database.advisory_locks import REPLAY_LOCK
from worker.errors import CommitsLostError, OtherSystemError
from worker.failover import replay
from worker.progress import stream_positions
from worker.settings import Settings
from worker.streams import read
from worker.streams.connection import Redis
from worker.streams.keys import commits

NewConsumer = Callable[..., Consumer]
EVENTS: list[Event] = [enrolled(), viewed(), viewed(1, 1, 2, seconds=1)]
LATER: list[Event] = [viewed(1, 1, 3, seconds=2)]
FORGET = ("DELETE FROM user_course", "DELETE FROM stream_position")
"""What an older, empty copy put back does."""


@pytest.fixture
def stream(settings: Settings) -> str:
    return settings.stream_key


def work(consumer: Consumer, redis: Redis, stream: str, events: list[Event]) -> list[str]:
    """Have the events recorded and acknowledged; their entry ids."""
    added = add(redis, stream, events)
    Recovery(consumer).recover()
    consumer.read(consumer.keys.streams, None)
    return added


def recovered(consumer: Consumer) -> list[str]:
    """What a recovery says."""
    with capture_logs() as logs:
        Recovery(consumer).recover()
    return [line["event"] for line in logs]


def test_a_position_is_kept_for_each_consumer_and_stream_with_the_batch(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    (*_, last) = work(consumer, redis, stream, EVENTS)
    found = rows(engine, "SELECT stream, consumer, milliseconds || '-' || sequence, batches FROM stream_position")
    assert found == [(stream, consumer.name, last, 1)]


def test_without_a_loss_nothing_is_said(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    add(redis, stream, LATER)
    read.read_new(redis, group_of(stream), "dead", [stream], 10, None)  # pending is not acknowledged
    assert recovered(consumer) == []
    assert recovered(new_consumer()) == []


def test_a_lost_commit_is_applied_again_below_entries_that_are_pending(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    add(redis, stream, LATER)
    read.read_new(redis, group_of(stream), "dead", [stream], 10, None)
    execute(engine, *FORGET)
    assert recovered(new_consumer()) == ["commits_lost", "commits_replayed"]
    assert_tables_equal_model(engine, [*EVENTS, *LATER])
    assert recovered(new_consumer()) == recovered(consumer) == [], "said once"


def test_what_a_version_without_positions_acknowledged_is_no_loss(
    new_consumer: NewConsumer, redis: Redis, stream: str
) -> None:
    add(redis, stream, EVENTS)
    read.create_groups(redis, group_of(stream), [stream])
    read.acknowledge(redis, group_of(stream), read.read_new(redis, group_of(stream), "old", [stream], 10, None))
    assert recovered(new_consumer()) == recovered(new_consumer()) == []


def test_behind_a_pooler_the_consumer_sees_that_its_last_transaction_is_gone(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    execute(engine, *FORGET)  # no connection is cut
    add(redis, stream, LATER)
    with pytest.raises(CommitsLostError, match="older copy was restored"):
        consumer.read(consumer.keys.streams, None)
    assert rows(engine, "SELECT 1 FROM lesson_event") == []
    assert recovered(consumer)[:2] == ["commits_lost", "commits_replayed"]
    assert_tables_equal_model(engine, [*EVENTS, *LATER])


def test_a_lost_commit_of_older_entries_is_seen_by_who_made_it(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    """Another one has committed higher entries of the stream, so no position tells."""
    work(consumer, redis, stream, EVENTS)
    execute(engine, "DELETE FROM user_course", "UPDATE stream_position SET batches = 0")
    assert recovered(consumer) == ["commits_lost", "commits_replayed"]
    assert_tables_equal_model(engine, EVENTS)
    assert recovered(consumer) == []


def test_a_lost_commit_below_the_highest_position_is_seen_by_a_new_consumer_as_often_as_it_is_lost(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    forget = ("DELETE FROM user_course", "DELETE FROM stream_position WHERE consumer <> 'other'")
    (*_, last) = work(consumer, redis, stream, EVENTS)
    with engine.begin() as connection:
        stream_positions.advance(connection, "other", {stream: parse_id(last)})
    for _ in range(2):
        execute(engine, *forget)
        assert recovered(new_consumer()) == ["commits_lost", "commits_replayed"]
        assert_tables_equal_model(engine, EVENTS)
        assert recovered(new_consumer()) == recovered(new_consumer()) == [], "said once"


def test_who_was_cleaned_up_is_not_missed_also_in_a_redis_that_still_knows_them(
    consumer: Consumer, new_consumer: NewConsumer, settings: Settings, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    second = new_consumer()
    work(second, redis, stream, LATER)
    known: Any = redis.hgetall(commits(stream))
    assert {name.decode() for name in known} == {consumer.name, second.name}
    execute(engine, "UPDATE stream_position SET recorded_at = recorded_at - interval '2 days'")
    old = {name: re.sub(b"@.*", f"@{time.time() - 172_800}".encode(), text) for name, text in known.items()}
    maintain(settings.model_copy(update={"replay_window_seconds": 300}), redis, engine)
    assert redis.hkeys(commits(stream)) == [second.name.encode()]
    redis.hset(commits(stream), mapping=old)  # an older Redis put back
    assert recovered(new_consumer()) == []


def test_what_somebody_else_writes_beside_a_stream_is_no_loss(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    redis.hset(commits(stream), mapping={"a": "", "b": "1@nan", "c": b"\xff@\xff", "d": "9@1e99"})
    assert recovered(new_consumer()) == []


def test_who_finds_the_loss_repaired_by_another_does_not_repair_it_again(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    execute(engine, *FORGET)
    assert "commits_replayed" in recovered(new_consumer())
    add(redis, stream, LATER)
    with pytest.raises(CommitsLostError):
        consumer.read(consumer.keys.streams, None)
    assert "commits_replayed" not in recovered(consumer)
    assert_tables_equal_model(engine, [*EVENTS, *LATER])


def test_only_one_replays_at_a_time(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    execute(engine, *FORGET)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({REPLAY_LOCK})")
        with pytest.raises(CommitsLostError, match="another consumer applies them again"):
            Recovery(new_consumer()).recover()
    assert "commits_replayed" in recovered(new_consumer())


def test_maintenance_sees_it_where_nobody_has_anything_to_record(
    consumer: Consumer, settings: Settings, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    execute(engine, *FORGET)
    maintain(settings.model_copy(update={"replay_window_seconds": 300}), redis, engine)
    assert_tables_equal_model(engine, EVENTS)


def test_an_emptied_redis_is_told_also_when_new_events_came_before_anybody_looked(
    consumer: Consumer, new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    work(consumer, redis, stream, EVENTS)
    redis.delete(*(key for each in consumer.keys.streams for key in (each, consumer.keys.system(each))))
    add(redis, stream, LATER)
    second = new_consumer()
    assert recovered(second) == ["redis_put_back"]
    second.read(second.keys.streams, None)
    assert_tables_equal_model(engine, [*EVENTS, *LATER])
    assert recovered(second) == [], "said once"


def test_a_group_that_was_made_anew_is_no_older_redis(consumer: Consumer, redis: Redis, stream: str) -> None:
    work(consumer, redis, stream, EVENTS)
    redis.xgroup_destroy(stream, group_of(stream))
    assert recovered(consumer) == []


def test_an_entry_deleted_by_hand_is_no_alarm_that_repeats(
    consumer: Consumer, redis: Redis, stream: str, engine: Engine
) -> None:
    work(consumer, redis, stream, EVENTS)
    (entry_id,) = add(redis, stream, LATER)
    read.read_new(redis, group_of(stream), consumer.name, [stream], 10, None)
    redis.xdel(stream, entry_id)
    Recovery(consumer).recover()  # the deleted entry is acknowledged here, without having been recorded
    recovered(consumer)
    assert recovered(consumer) == []
    assert_tables_equal_model(engine, EVENTS)


def test_a_replay_survives_an_entry_that_kills_workers(
    consumer: Consumer,
    new_consumer: NewConsumer,
    redis: Redis,
    engine: Engine,
    stream: str,
) -> None:
    work(consumer, redis, stream, EVENTS)
    (deadly,) = add(redis, stream, LATER)
    consumer.read(consumer.keys.streams, None)
    execute(engine, *FORGET)
    keys = consumer.keys
    (first, *_) = next(iter(replay.read_again(redis, keys, 100)))
    for key in (keys.quarantine(stream, f"replay:{first.id}"), keys.quarantine(stream, deadly)):
        redis.sadd(key, "dead-1", "dead-2", "dead-3")
    assert "commits_replayed" in recovered(new_consumer())
    assert rows(engine, "SELECT entry_id, reason FROM dead_letter") == [(deadly, "crashes_worker")]
    assert_tables_equal_model(engine, EVENTS, rejected={"crashes_worker": 1})


def test_old_positions_are_forgotten_but_for_the_highest(engine: Engine, stream: str) -> None:
    with engine.begin() as connection:
        for number in range(3):
            stream_positions.advance(connection, f"consumer-{number}", {stream: (number, 18_446_744_073_709_551_615)})
    execute(engine, "UPDATE stream_position SET recorded_at = now() - interval '2 days'")
    with engine.begin() as connection:
        stream_positions.advance(connection, "fresh", {stream: (1, 0)})
        stream_positions.delete_old(connection)
        assert stream_positions.highest(connection, [stream]) == {stream: (2, 18_446_744_073_709_551_615)}
    assert rows(engine, "SELECT consumer FROM stream_position ORDER BY 1") == [("consumer-2",), ("fresh",)]


def test_a_running_consumer_stops_when_another_system_has_adopted_its_streams(
    consumer: Consumer, redis: Redis, stream: str
) -> None:
    Recovery(consumer).recover()
    consumer.check_system()
    redis.set(consumer.keys.system(stream), "whatever")
    with pytest.raises(OtherSystemError, match=r"database \?, id whatever"):
        consumer.check_system()


def test_up_says_so_where_the_data_of_one_server_is_gone_and_that_of_the_other_is_not(
    settings: Settings, redis: Redis, stream: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(settings, tmp_path, None)
    warn_of_other_system(system)
    assert capsys.readouterr().err == ""
    redis.set(f"{stream}:system", "0198/7412/lms")
    warn_of_other_system(system)
    assert "belongs to another system (database lms" in capsys.readouterr().err
