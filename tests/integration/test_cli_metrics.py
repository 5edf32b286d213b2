"""`metrics` prints the figures of `status` in Prometheus' text format, and says how far the rollups are behind."""

import json
from datetime import datetime

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, viewed
from tests.support.hosts import RecordingHost
from tests.support.named import named_viewed
from tests.support.rollups import refresh_all
from tests.support.streams import add, group_of
from tests.support.tables import execute, insert_as_lms
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.contract.entry import Reason
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams.connection import Redis


def scraped(environment: dict[str, str]) -> dict[str, Metric]:
    """The gauges that the command prints, by name."""
    result = invoke(environment, "metrics")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return {gauge.name: gauge for gauge in text_string_to_metric_families(result.stdout)}


def values(gauge: Metric, label: str) -> dict[str, float]:
    """The values of a gauge's samples by their only label."""
    for sample in gauge.samples:
        assert set(sample.labels) == {label}
    return {sample.labels[label]: sample.value for sample in gauge.samples}


def behind(environment: dict[str, str]) -> dict[str, float]:
    return values(scraped(environment)["progress_rollup_behind_seconds"], "rollup")


def test_every_figure_of_the_status_is_a_sample(
    environment: dict[str, str], settings: Settings, redis: Redis, consumer: Consumer
) -> None:
    publisher = EventPublisher(settings=settings)
    publisher.publish_many([enrolled(8), viewed(8), completed(8, lesson_id=2), viewed(16)])
    add(redis, settings.stream_key, [b"not JSON"])
    Drain(consumer, RecordingHost(), 0.5).run()
    publisher.publish_many([viewed(8, seconds=60), viewed(9), viewed(10)])
    redis.xreadgroup(group_of(settings.stream_key), "someone", {f"{settings.stream_key}:0": ">"})

    status = json.loads(invoke(environment, "status", "--json").stdout)
    found = scraped(environment)
    for name in ("length", "lag", "pending", "consumers"):
        expected = {each["stream"]: each[name] for each in status["streams"]}
        assert values(found[f"progress_stream_{name}"], "stream") == expected
        assert any(expected.values())
    for name in ("oldest_unread_seconds", "oldest_pending_seconds"):
        earlier = {each["stream"]: each[name] for each in status["streams"]}
        later = values(found[f"progress_stream_{name}"], "stream")
        assert later.keys() == earlier.keys()
        assert any(later.values())
        for stream, age in earlier.items():
            assert later[stream] == 0 if age is None else age <= later[stream] < age + 60
    letters = values(found["progress_dead_letters"], "reason")
    assert {reason: number for reason, number in letters.items() if number} == status["dead_letters"]
    assert status["dead_letters"] == {"invalid_json": 1, "unknown_enrollment": 1}
    expected = {name: each["rows"] for name, each in status["rows"].items()}
    assert values(found["progress_table_rows"], "table") == expected
    sizes = {name: each["bytes"] for name, each in status["rows"].items()}
    assert values(found["progress_table_bytes"], "table") == sizes
    assert all(sizes.values())
    (recorded,) = found["progress_last_recorded_timestamp_seconds"].samples
    assert recorded.value == pytest.approx(datetime.fromisoformat(status["last_recorded_at"]).timestamp(), abs=1e-3)


def test_what_is_absent_is_zero_or_left_out_as_the_help_says(environment: dict[str, str]) -> None:
    found = scraped(environment)
    streams = {name for name in found if name.startswith("progress_stream_")}
    unsampled = {name for name, gauge in found.items() if not gauge.samples}
    assert unsampled == {*streams, "progress_last_recorded_timestamp_seconds"}
    assert all("omitted" in found[name].documentation.lower() for name in unsampled)
    assert values(found["progress_dead_letters"], "reason") == dict.fromkeys(Reason, 0)
    assert values(found["progress_rollup_behind_seconds"], "rollup") == {
        "summaries": 0,
        "course_statistics": 0,
        "activity": 0,
    }


def test_all_are_gauges_that_a_textfile_collector_takes(environment: dict[str, str], engine: Engine) -> None:
    insert_as_lms(engine, 1)
    found = scraped(environment)
    assert all(name.startswith("progress_") and gauge.documentation for name, gauge in found.items())
    assert {gauge.type for gauge in found.values()} == {"gauge"}
    assert {sample.timestamp for gauge in found.values() for sample in gauge.samples} == {None}
    assert invoke(environment, "metrics").stdout_bytes.endswith(b"\n")


def test_a_change_that_is_not_rolled_up_ages_until_it_is(environment: dict[str, str], engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "UPDATE user_course SET stale_since = now() - interval '1 hour'")
    earlier, later = behind(environment), behind(environment)
    assert earlier.keys() == {"summaries", "course_statistics", "activity"}
    for rollup, age in earlier.items():
        assert 3600 <= age < later[rollup] < 3660
    refresh_all(engine)
    assert behind(environment) == {"summaries": 0, "course_statistics": 0, "activity": 0}


def test_names_are_counted_by_kind_and_estimated_above_a_bound(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> dict[str, float]:
        return values(scraped(environment)["progress_names"], "kind")

    assert names() == {"course": 0, "lesson": 0, "topic": 0, "user": 0}
    ingest(engine, entries([named_viewed(), named_viewed("bob", "l2")]))
    assert names() == {"course": 1, "lesson": 2, "topic": 1, "user": 2}
    execute(
        engine,
        "INSERT INTO external_id (kind, source, key, id)"
        " SELECT 'user', 'moodle', n::text, n FROM generate_series(1, 998) AS n",
    )
    monkeypatch.setattr("worker.identity.map_counts.COUNTED_EXACTLY", 500)
    assert names()["user"] == 501, "not analyzed yet: at least so many"
    execute(engine, "ANALYZE external_id")
    assert names() == {"course": 1, "lesson": 2, "topic": 1, "user": 1_000}
    assert "Names: 1 course, 2 lessons, 1 topic, ~1,000 users" in invoke(environment, "status").stdout


@pytest.mark.parametrize(
    ("variable", "url", "sentence"),
    [
        ("DATABASE_URL", "postgresql://127.0.0.1:1/x", "PostgreSQL does not answer at 127.0.0.1:1/x"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "Redis does not answer at"),
    ],
    ids=["PostgreSQL", "Redis"],
)
def test_nothing_is_printed_when_a_server_is_away(
    environment: dict[str, str], variable: str, url: str, sentence: str
) -> None:
    result = invoke({**environment, variable: url}, "metrics")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {sentence}")
