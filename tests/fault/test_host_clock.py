"""The clock of the host that answers is wrong: nothing that is decided goes by it, and somebody is told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.api import served
from tests.support.clock import host_clock_ahead
from tests.support.commands import invoke
from tests.support.tables import insert_as_lms, rows
from worker.client import EventPublisher
from worker.ops import clocks
from worker.progress.outline_file import read_outline
from worker.settings import Settings
from worker.streams.connection import Redis

YEARS, LITTLE = timedelta(days=400), timedelta(seconds=2)
LESSON = "/progress/1/1/1"
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture(autouse=True)
def _an_enrollment(engine: Engine) -> None:
    insert_as_lms(engine, 1)


def times(engine: Engine) -> list[datetime]:
    """Every time that an event has."""
    return [at for [at] in rows(engine, "SELECT occurred_at FROM lesson_event ORDER BY occurred_at")]


def is_now(at: datetime) -> bool:
    return abs(datetime.now(UTC) - at) < timedelta(seconds=60)


def view_at(time: datetime, event_id: str) -> dict[str, Any]:
    data = {"user_course_id": 1, "topic_id": 1, "lesson_id": 1}
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/lms",
        "type": "lesson.viewed",
        "time": time.isoformat(),
        "data": data,
    }


def test_what_has_no_time_of_its_own_happened_by_postgresqls_clock(settings: Settings, engine: Engine) -> None:
    with served(settings) as api, host_clock_ahead(YEARS):
        for number, path in enumerate((f"{LESSON}/view", "/progress/1/1/2/complete", "/progress/1/1/3/view"), 1):
            assert api.post(path).status_code == 200
            assert len(times(engine)) == number
        assert api.put(LESSON, json={"status": "completed"}).status_code == 200
        made = {"user_course_id": 1, "topic_id": 2, "lesson_id": 9, "status": "completed"}
        assert api.post("/progress/", json=made).status_code == 201
    assert len(times(engine)) == 5
    assert all(is_now(at) for at in times(engine)), times(engine)
    for column in ("last_viewed_at", "completed_at"):
        assert all(is_now(at) for [at] in rows(engine, f"SELECT {column} FROM user_course_progress") if at)


@pytest.mark.parametrize("other", [-LITTLE, -YEARS, timedelta(0)], ids=["behind", "years", "equal"])
@pytest.mark.parametrize("deed", ["view", "complete"])
def test_what_is_done_after_a_correction_by_another_host_counts(
    settings: Settings, other: timedelta, deed: str
) -> None:
    with served(settings) as api:
        for lesson in range(1, 6):
            path = f"/progress/1/1/{lesson}"
            assert api.post("/progress/", json={"user_course_id": 1, "topic_id": 1, "lesson_id": lesson}).is_success
            assert api.put(path, json={"status": "not_started"}).status_code == 200
            with host_clock_ahead(other):
                answer = api.post(f"{path}/{deed}")
            assert (answer.status_code, answer.json()["status"]) == (
                200,
                {"view": "in_progress", "complete": "completed"}[deed],
            )


def test_even_after_a_correction_that_is_ahead_of_every_clock(settings: Settings) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=4)
    with served(settings) as api:
        assert api.post(f"{LESSON}/complete", json={"occurred_at": soon.isoformat()}).status_code == 200
        assert api.put(LESSON, json={"status": "in_progress"}).json()["status"] == "in_progress"
        assert api.post(f"{LESSON}/complete").json()["status"] == "completed"


@pytest.mark.parametrize("wrong", [YEARS, -YEARS], ids=["ahead", "behind"])
def test_what_is_ahead_is_told_by_the_later_clock(settings: Settings, engine: Engine, wrong: timedelta) -> None:
    """A host that is behind refuses nothing that the servers would take; one that is ahead takes what only it knows."""
    now = datetime.now(UTC)
    then = now + max(wrong, timedelta()) + timedelta(days=399)
    with served(settings) as api, host_clock_ahead(wrong):
        for headers in ({}, {"Prefer": "respond-async"}):
            late = api.post(f"{LESSON}/view", json={"occurred_at": then.isoformat()}, headers=headers)
            assert late.status_code == 422
            events = [view_at(then, "ahead"), view_at(now, f"now {headers}")]
            answer = api.post("/events", content=json.dumps(events), headers=BATCH | headers)
            assert [each["reason"] for each in answer.json()["events"]] == ["time_out_of_range", None], answer.text
        for snapshot in ({"last_viewed_at": then.isoformat()}, {"completed_at": then.isoformat()}):
            assert api.put(LESSON, json=snapshot).status_code == 422
        assert api.post(f"{LESSON}/view", json={"occurred_at": now.isoformat()}).status_code == 200
        early = {"occurred_at": (now + timedelta(days=300)).isoformat()}
        answer = api.post("/progress/1/1/2/view", json=early)
        assert answer.status_code == (200 if wrong > timedelta() else 422)
    assert all(is_now(at) for (at,) in rows(engine, "SELECT occurred_at FROM lesson_event WHERE lesson_id = 1"))


def test_what_goes_by_the_stream_without_a_time_has_redis(settings: Settings, redis: Redis) -> None:
    with served(settings) as api, host_clock_ahead(YEARS):
        assert api.post(f"{LESSON}/view", headers={"Prefer": "respond-async"}).status_code == 202
        outline = read_outline(b"[]", "an outline", 3)
        assert is_now(EventPublisher(settings=settings).publish_outline(outline))
    found: Any = redis.xrange(f"{settings.stream_key}:1")
    [[_, entry]] = found
    assert is_now(datetime.fromisoformat(json.loads(entry[b"event"])["time"]))


def test_analyses_are_as_of_postgresqls_clock(settings: Settings, environment: dict[str, str]) -> None:
    with served(settings) as api:
        assert api.post(f"{LESSON}/view").status_code == 200
        with host_clock_ahead(YEARS):
            days = api.get("/analytics/learner/1").json()["days"]
            shown = json.loads(invoke(environment, "learner", "1", "--json").stdout)["days"]
    assert days == shown
    assert is_now(datetime.fromisoformat(f"{days[-1]['day']}T{datetime.now(UTC):%H:%M:%S}Z"))


def test_a_host_whose_clock_differs_is_not_ready_and_says_so(settings: Settings, environment: dict[str, str]) -> None:
    with served(settings) as api:
        assert api.get("/readyz").json() == {"ok": True, "checks": {"postgresql": True, "redis": True}}
    for wrong in (YEARS, -timedelta(seconds=10)):
        with host_clock_ahead(wrong), served(settings) as api:
            answer = api.get("/readyz")
            assert (answer.status_code, answer.json()["checks"]) == (
                503,
                {"postgresql": True, "redis": True, "clocks": False},
            )
            ready = invoke(environment, "health", "ready")
            assert (ready.exit_code, "Clocks: The clocks differ by" in ready.stdout) == (1, True)
            status = invoke(environment, "status", "--json")
            told = json.loads(status.stdout)
            assert told["clocks"]["postgresql_ahead_seconds"] == pytest.approx(-wrong.total_seconds(), abs=5)
            assert any("Synchronize them" in each for each in told["warnings"])
            assert "Synchronize them" in invoke(environment, "status").stdout.replace("\n", " ")
    tolerant = {**environment, "PROGRESS_CLOCK_TOLERANCE_SECONDS": "20"}
    with host_clock_ahead(timedelta(seconds=10)):
        assert invoke(tolerant, "health", "ready").exit_code == 0


def test_a_worker_warns_as_it_starts_and_waits_for_no_server(settings: Settings) -> None:
    with host_clock_ahead(YEARS), capture_logs() as logs:
        clocks.warn(settings)
    assert [line["event"] for line in logs] == ["clocks_differ"]
