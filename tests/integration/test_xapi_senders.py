"""Senders of xAPI are answered as their code expects. Each request is, byte for byte, what that code sends."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support import senders
from tests.support.api import served
from tests.support.doors import consume
from tests.support.named import rows_by_name
from tests.support.senders import Request
from tests.support.tables import rows
from tests.support.xapi import HOME, Answer, exchange, learner_name, statement
from worker.consume.consumer import Consumer
from worker.settings import Settings

ENDPOINT, TOKEN = "https://progress.example.org/xapi", "token-of-the-sender"
TOKENS = [{"name": "sender", "token": TOKEN, "scopes": ["write"], "connection": "moodle"}]
VIEWED_ID, COMPLETED_ID = "0198a1b2-c3d4-7e5f-8a9b-000000000001", "0198a1b2-c3d4-7e5f-8a9b-000000000002"
TWO = [statement(verb="experienced", id=VIEWED_ID), statement(lesson=f"{HOME}/l2", id=COMPLETED_ID)]
WITHOUT_IDS = [{name: value for name, value in each.items() if name != "id"} for each in TWO]
EXPECTED = [(learner_name("4"), f"{HOME}/l1", "in_progress"), (learner_name("4"), f"{HOME}/l2", "completed")]


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})) as client:
        yield client


def found(consumer: Consumer, engine: Engine) -> list[tuple[str, str, str]]:
    """The rows by name after a worker has read the streams: (learner, lesson, status)."""
    consume(consumer)
    assert rows(engine, "SELECT reason FROM dead_letter") == []
    assert {source for source, *_ in rows_by_name(engine)} == {"moodle"}
    return [(learner, lesson, status) for (_, learner, _, lesson), (status, *_) in rows_by_name(engine).items()]


def send(api: httpx.Client, request: Request) -> Answer:
    """Send it twice, as after a timeout; the answers are the same."""
    first, second = (exchange(str(api.base_url), *request) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    return first


@pytest.mark.parametrize("asks", [False, True])
def test_moodles_logstore_xapi(asks: bool, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """Only exactly 200 is a success."""
    answer = send(api, senders.moodle(ENDPOINT, "progress", TOKEN, WITHOUT_IDS, asks=asks))
    assert (answer.status, answer.headers["X-Experience-API-Version"]) == (200, "1.0.3")
    assert answer.headers["Content-Type"] == "application/json"
    ids = [UUID(each) for each in json.loads(answer.body)]
    assert found(consumer, engine) == EXPECTED
    assert sorted(rows(engine, "SELECT event_id FROM lesson_event")) == sorted((each,) for each in ids)


def test_event_routing_backends_put_with_an_id(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """Any 2xx is a success."""
    for each in TWO:
        answer = send(api, senders.open_edx(ENDPOINT, senders.basic("progress", TOKEN), each))
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert found(consumer, engine) == EXPECTED


def test_event_routing_backends_post_with_a_bearer_token(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """What has no id is posted; TinCanPython takes the first of the ids in the answer."""
    for each in WITHOUT_IDS:
        answer = send(api, senders.open_edx(ENDPOINT, f"Bearer {TOKEN}", each))
        assert answer.status == 200
        assert len(json.loads(answer.body)) == 1
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize(("bodies", "status"), [([TWO], 200), (TWO, 204)])
def test_ralph_forwards(bodies: list[Any], status: int, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """To a URL that ends with a slash as Ralph's own does."""
    for each in bodies:
        answer = send(api, senders.ralph(f"{ENDPOINT}/statements/", "progress", TOKEN, each))
        assert (answer.status, answer.headers["X-Experience-API-Version"]) == (status, "1.0.3")
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_learning_locker_forwards(is_wrapped: bool, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """200 to 399 is a success."""
    for each in TWO:
        url = f"{ENDPOINT}/statements"
        answer = send(api, senders.learning_locker(url, "progress", TOKEN, each, is_wrapped=is_wrapped))
        assert (answer.status, json.loads(answer.body)) == (200, [each["id"]])
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize("attachment", [None, b"\x00\xff", b"\r\n--another\r\n[1]\r\n\r\n{}"])
def test_lrspipe(attachment: bytes | None, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """200 alone is good."""
    answer = send(api, senders.lrspipe(ENDPOINT, "progress", TOKEN, TWO, attachment))
    assert (answer.status, json.loads(answer.body)) == (200, [VIEWED_ID, COMPLETED_ID])
    assert found(consumer, engine) == EXPECTED


def test_a_client_of_xapi_2_is_answered_in_kind(api: httpx.Client) -> None:
    for asked, answered in (
        ("2.0.0", "2.0.0"),
        ("2.0.1", "2.0.0"),
        ("2.0", "2.0.0"),
        ("1.0.1", "1.0.3"),
        ("x", "1.0.3"),
    ):
        answer = api.get("/xapi/about", headers={"X-Experience-API-Version": asked, "Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.headers["X-Experience-API-Version"]) == (200, answered)
        assert answer.json() == {"version": ["1.0.3", "2.0.0"]}
