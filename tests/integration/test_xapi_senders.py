"""Senders of xAPI are answered as their code expects. Each request is, byte for byte, what that code sends."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.doors import consume
from tests.support.named import rows_by_name
from tests.support.tables import rows
from tests.support.xapi import HOME, Answer, exchange, learner_name, statement
from worker.consume.consumer import Consumer
from worker.settings import Settings

TOKENS = [{"name": "sender", "token": "token-of-the-sender", "scopes": ["write"], "connection": "moodle"}]
BASIC = f"Authorization: Basic {b64encode(b'progress:token-of-the-sender').decode()}"
BEARER = "Authorization: Bearer token-of-the-sender"
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


def send(api: httpx.Client, head: str, body: bytes) -> Answer:
    """Send it twice, as after a timeout; the answers are the same."""
    first, second = (exchange(str(api.base_url), head, body) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    return first


def test_moodles_logstore_xapi(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """PHP's curl with a list without ids, escaped slashes; only exactly 200 is a success."""
    head = f"""
POST /xapi/statements HTTP/1.1
Host: {{host}}
Accept: */*
{BASIC}
X-Experience-API-Version: 1.0.0
Content-Type: application/json
Content-Length: {{length}}
"""
    body = json.dumps(WITHOUT_IDS, separators=(",", ":")).replace("/", "\\/").encode()
    answer = send(api, head, body)
    assert (answer.status, answer.headers["X-Experience-API-Version"]) == (200, "1.0.3")
    assert answer.headers["Content-Type"] == "application/json"
    ids = [UUID(each) for each in json.loads(answer.body)]
    assert found(consumer, engine) == EXPECTED
    assert sorted(rows(engine, "SELECT event_id FROM lesson_event")) == sorted((each,) for each in ids)


def test_event_routing_backends_put_with_an_id(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """TinCanPython's http.client: PUT with the id in the URL too; any 2xx is a success."""
    for each in TWO:
        head = f"""
PUT /xapi/statements?statementId={each["id"]} HTTP/1.1
Host: {{host}}
Accept-Encoding: identity
X-Experience-API-Version: 1.0.3
{BASIC}
Content-Type: application/json
Content-Length: {{length}}
"""
        answer = send(api, head, json.dumps(each).encode())
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert found(consumer, engine) == EXPECTED


def test_event_routing_backends_post_with_a_bearer_token(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """TinCanPython posts what has no id, and takes the first of the ids in the answer."""
    for each in WITHOUT_IDS:
        head = f"""
POST /xapi/statements HTTP/1.1
Host: {{host}}
Accept-Encoding: identity
X-Experience-API-Version: 1.0.3
{BEARER}
Content-Type: application/json
Content-Length: {{length}}
"""
        answer = send(api, head, json.dumps(each).encode())
        assert answer.status == 200
        assert len(json.loads(answer.body)) == 1
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize(("method", "bodies", "status"), [("POST", [TWO], 200), ("PUT", TWO, 204)])
def test_ralph_forwards(
    method: str, bodies: list[Any], status: int, api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    """httpx, without a version, to a URL that ends with a slash as Ralph's own does."""
    head = f"""
{method} /xapi/statements/ HTTP/1.1
Host: {{host}}
Accept: */*
Accept-Encoding: gzip, deflate
Connection: keep-alive
User-Agent: python-httpx/0.25.1
Content-Length: {{length}}
Content-Type: application/json
{BASIC}
"""
    for each in bodies:
        answer = send(api, head, json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode())
        assert (answer.status, answer.headers["X-Experience-API-Version"]) == (status, "1.0.3")
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_learning_locker_forwards(is_wrapped: bool, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """popsicle: one statement at a time, or the whole document that holds it; 200 to 399 is a success."""
    head = f"""
POST /xapi/statements HTTP/1.1
user-agent: Popsicle (https://github.com/serviejs/popsicle)
accept-encoding: gzip,deflate
content-type: application/json
content-length: {{length}}
authorization: {BASIC.partition(": ")[2]}
host: {{host}}
Connection: close
"""
    for each in TWO:
        document = {"_id": "5a1", "lrs_id": "5a2", "statement": each, "stored": "2025-07-14T10:30:01.000Z"}
        answer = send(api, head, json.dumps(document if is_wrapped else each).encode())
        assert (answer.status, json.loads(answer.body)) == (200, [each["id"]])
    assert found(consumer, engine) == EXPECTED


@pytest.mark.parametrize("attachment", [None, b"\x00\xff", b"\r\n--another\r\n[1]\r\n\r\n{}"])
def test_lrspipe(attachment: bytes | None, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """Apache's HTTP client, always `multipart/mixed`, in chunks, no space after a part's colons; 200 alone is good."""
    boundary = "0f3k9" * 12 + "z1z1"
    head = f"""
POST /xapi/statements HTTP/1.1
x-experience-api-version: 1.0.3
Connection: close
content-type: multipart/mixed; boundary={boundary}
accept-encoding: gzip, deflate
{BASIC}
Transfer-Encoding: chunked
Host: {{host}}
User-Agent: Apache-HttpAsyncClient/4.1.4 (Java/11.0.19)
"""
    parts = [b"Content-Type:application/json\r\n\r\n" + json.dumps(TWO, separators=(",", ":")).encode()]
    if attachment is not None:
        headers = "Content-Type:image/png\r\nContent-Transfer-Encoding:binary\r\nX-Experience-API-Hash:495395e7\r\n\r\n"
        parts.append(headers.encode() + attachment)
    line = f"--{boundary}".encode()
    body = b"\r\n".join(line + b"\r\n" + part for part in parts) + b"\r\n" + line + b"--"
    pieces = [body[start : start + 700] for start in range(0, len(body), 700)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    answer = send(api, head, chunked)
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
        answer = api.get("/xapi/about", headers={"X-Experience-API-Version": asked, "Authorization": BEARER[15:]})
        assert (answer.status_code, answer.headers["X-Experience-API-Version"]) == (200, answered)
        assert answer.json() == {"version": ["1.0.3", "2.0.0"]}
