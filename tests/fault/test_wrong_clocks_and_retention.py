"""Retention where a clock is years ahead: what is fresh stays, and while clocks differ nothing is deleted at all."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from tests.support.events import enrolled, entries, viewed
from tests.support.tables import execute, rows
from worker.ops import clocks
from worker.ops.clocks import clocks_complaint
from worker.progress import retention
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired
from worker.streams.connection import Redis

YEARS = timedelta(days=3 * 365)
EVENTS = "SELECT count(*) FROM lesson_event"


class Ahead(datetime):
    """The host's clock, three years ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Ahead":
        return cls.fromtimestamp(datetime.now(tz).timestamp(), tz) + YEARS


@pytest.fixture(autouse=True)
def _old_and_fresh(engine: Engine) -> None:
    """An event recorded 40 days ago and ten just now."""
    ingest(engine, entries([enrolled(1), viewed(1, 1, 1)]))
    execute(engine, "UPDATE lesson_event SET recorded_at = now() - interval '40 days'")
    ingest(engine, entries(viewed(1, 1, number) for number in range(2, 12)))


def test_the_hosts_clock_decides_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "datetime", Ahead, raising=False)
    assert delete_expired(engine, 30) == 1
    assert rows(engine, EVENTS) == [(10,)]
    ((age,),) = rows(engine, "SELECT extract(epoch FROM now() - history_from) / 86400 FROM user_course")
    assert 30 <= age < 30.01


def host(monkeypatch: pytest.MonkeyPatch, _redis: Redis) -> None:
    monkeypatch.setattr(clocks, "datetime", Ahead)


def postgresql(monkeypatch: pytest.MonkeyPatch, _redis: Redis) -> None:
    def clock(_connection: Connection) -> datetime:
        return datetime.now(UTC) + YEARS

    monkeypatch.setattr(clocks, "clock", clock)


def valkey(monkeypatch: pytest.MonkeyPatch, redis: Redis) -> None:
    seconds, microseconds = redis.time()
    monkeypatch.setattr(redis, "time", lambda: (seconds - 60, microseconds))


@pytest.mark.parametrize("put_wrong", [host, postgresql, valkey])
def test_a_clock_that_differs_is_told(
    put_wrong: Callable[..., None], engine: Engine, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clocks_complaint(engine, redis, 3) is None
    put_wrong(monkeypatch, redis)
    assert "clocks differ by" in str(clocks_complaint(engine, redis, 3))


TASK = """
from worker.tasks import apply_retention
from worker.logs import configure_logging
configure_logging("json", "INFO")
apply_retention()
"""
ANOTHER_CLOCK = """
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    RETURN pg_catalog.clock_timestamp() + interval '3 years'
"""


@pytest.mark.second_tier
def test_while_clocks_differ_the_task_deletes_nothing_and_says_so(
    engine: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["PROGRESS_RETENTION_DAYS"] = "30"

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", TASK], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stderr

    name = engine.url.database
    execute(engine, ANOTHER_CLOCK, f'ALTER DATABASE "{name}" SET search_path = public, pg_catalog')
    said = run()
    assert '"retention_refused"' in said
    assert "clocks differ by" in said
    assert rows(engine, EVENTS) == [(11,)]
    execute(engine, "DROP FUNCTION public.clock_timestamp()")
    assert '"retention_applied"' in run()
    assert rows(engine, EVENTS) == [(10,)]
