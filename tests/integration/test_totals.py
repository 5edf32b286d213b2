"""Members that are dropped and events that are superseded are counted, whichever way they come in."""

import json
from collections.abc import Mapping

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.doors import ANSWERED, ANY, Doors, consume, send_tasks
from tests.support.events import as_json, body, enrolled, viewed
from tests.support.tables import insert_as_lms, rows
from tests.support.wait import wait_until
from worker.consume.consumer import Consumer
from worker.contract.totals import Totals
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.totals import add_totals, read_totals

BAD = {"section_id": "x", "duration_seconds": -3}


def bent() -> dict[str, object]:
    event = as_json(viewed())
    return event | {"data": event["data"] | BAD}


def wait_for(redis: Redis, settings: Settings, dropped: int) -> None:
    keys = Keys.of(settings)
    wait_until(lambda: read_totals(redis, keys) == Totals(0, dropped), what=f"{dropped} dropped members")


@pytest.mark.parametrize("door", ANY)
def test_each_dropped_member_of_an_event_that_is_applied_counts(
    doors: Doors, engine: Engine, redis: Redis, settings: Settings, door: str
) -> None:
    send, event = getattr(doors, door), bent()
    send([json.dumps(event).encode(), json.dumps({**bent(), "type": "lesson.liked"}).encode()])
    wait_for(redis, settings, 0)
    send([body(enrolled())])  # which brings the parked one with it, where a stream had it
    if door in ANSWERED:
        send([json.dumps(event).encode()])
    wait_for(redis, settings, 2)
    assert rows(engine, "SELECT section_id, duration_seconds FROM lesson_event") == [(None, None)]


def test_so_does_one_of_a_single_endpoint_or_a_task(
    open_api: httpx.Client,
    engine: Engine,
    redis: Redis,
    settings: Settings,
    consumer: Consumer,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    insert_as_lms(engine, 1)
    for number, prefer in enumerate(("", "respond-async"), 1):
        answer = open_api.post("/progress/1/1/1/view", json=BAD, headers={"Prefer": prefer})
        assert answer.status_code in {200, 202}
        wait_for(redis, settings, 2 * number)
    send_tasks(monkeypatch, environment, {"one": bent()})
    consume(consumer)
    wait_for(redis, settings, 6)
    assert rows(engine, "SELECT count(*), count(section_id), count(duration_seconds) FROM lesson_event") == [(3, 0, 0)]


def test_status_and_metrics_tell_them(redis: Redis, settings: Settings, environment: Mapping[str, str]) -> None:
    add_totals(redis, Keys.of(settings), Totals(3, 4))
    assert json.loads(invoke(environment, "status", "--json").stdout)["totals"] == {
        "superseded": 3,
        "dropped_members": 4,
    }
    assert "Superseded so far: 3 events; dropped: 4 invalid members" in invoke(environment, "status").stdout
    metrics = invoke(environment, "metrics").stdout
    assert "progress_superseded_events 3.0" in metrics
    assert "progress_dropped_members 4.0" in metrics


def test_a_key_of_another_type_counts_nothing_and_is_named(
    redis: Redis, settings: Settings, environment: Mapping[str, str]
) -> None:
    keys = Keys.of(settings)
    redis.set(keys.totals, "x")
    add_totals(redis, keys, Totals(3, 4))
    assert "dropped: 0 invalid members" in invoke(environment, "status").stdout
    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert shown["totals"] == {"superseded": 0, "dropped_members": 0}
    assert any(f"{keys.totals} (string)" in each for each in shown["warnings"])
    metrics = invoke(environment, "metrics")
    assert (metrics.exit_code, "progress_dropped_members 0.0" in metrics.stdout) == (0, True)
    assert f"{keys.totals} (string)" in invoke(environment, "health", "ready").stdout
