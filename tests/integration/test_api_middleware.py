"""The middleware before every endpoint: allowed hosts, body size, rate limits and origins."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import as_json, enrolled, entries, viewed
from tests.support.tables import snapshot
from worker.api.app import create_app
from worker.api.middleware import MAX_BYTES
from worker.progress.ingest import ingest
from worker.settings import Settings

ROW, PUBLIC = "/progress/1/1/1", ["/healthz", "/readyz", "/docs", "/openapi.json"]
PROBLEM = "application/problem+json"
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
PAGE, ELSEWHERE = "https://lms.example", "192.0.2.7"
TOKEN, OTHER, WRONG = (f"Bearer {each}-token-of-a-test" for each in ("first", "other", "wrong"))
TOKENS = [
    {"name": bearer[7:12], "token": bearer.removeprefix("Bearer "), "scopes": ["read", "write"]}
    for bearer in (TOKEN, OTHER)
]


@pytest.fixture(autouse=True)
def _a_row(engine: Engine) -> None:
    ingest(engine, entries([enrolled(), viewed()]))


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})


def own(client: httpx.Client) -> str:
    """The API's own origin."""
    return str(client.base_url).rstrip("/")


def assert_forbidden(answer: httpx.Response, word: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, PROBLEM), answer.request.headers
    assert word in answer.json()["detail"]


def test_without_tokens_this_host_may_do_everything_under_its_own_name(settings: Settings) -> None:
    with served(settings) as client:
        assert client.get(ROW).status_code == 200
        for host in ("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000"):
            assert client.get(ROW, headers={"Host": host}).status_code == 200
            assert client.post(f"{ROW}/view", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200
        for forwarded in ("127.0.0.1", "::1", "127.0.0.5"):
            assert client.get(ROW, headers={"X-Forwarded-For": forwarded}).status_code == 200


def test_without_tokens_every_other_caller_is_refused_everywhere(settings: Settings, engine: Engine) -> None:
    before = snapshot(engine)
    with served(settings) as client:
        names = ["lms.example", "lms.example:8000", "localhost.lms.example", "lms.example:localhost", "127.0.0.1.lms.e"]
        pages = [PAGE, "null", "http://localhost:1", "http://127.0.0.1", own(client).replace("http", "https"), ""]
        addresses = [ELSEWHERE, f"127.0.0.1, {ELSEWHERE}", f"{ELSEWHERE}, 127.0.0.1", "::ffff:192.0.2.7", "localhost"]
        strange = [("Host", name, "must be localhost") for name in names]
        strange += [("Origin", page, "Requests from this origin") for page in pages]
        strange += [("X-Forwarded-For", address, "only this host") for address in addresses]
        for header, value, why in strange:
            assert_forbidden(client.post(f"{ROW}/complete", headers={header: value}), why)
            for path in (ROW, *PUBLIC):
                assert_forbidden(client.get(path, headers={header: value}), why)
        assert client.get(ROW).status_code == 200
    assert snapshot(engine) == before


@pytest.mark.parametrize("address", [(ELSEWHERE, 1), ("2001:db8::1", 1), ("", 1), None])
def test_without_tokens_the_connections_address_counts(settings: Settings, address: tuple[str, int] | None) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "GET", "path": ROW, "scheme": "http", "headers": headers, "client": address}
        await create_app(settings)(scope, lambda: asyncio.sleep(60), send)  # type: ignore[arg-type, return-value]

    asyncio.run(call())
    assert sent[0]["status"] == 403


def test_without_tokens_strangers_do_not_use_up_what_this_host_may_do_wrong(settings: Settings) -> None:
    with served(settings.model_copy(update={"api_bad_requests_per_minute": 1})) as client:
        for header, value in (("Origin", PAGE), ("Host", "lms.example"), ("X-Forwarded-For", ELSEWHERE)):
            assert client.post(f"{ROW}/view", headers={header: value}).status_code == 403
        assert client.get(ROW).status_code == 200


def test_with_tokens_neither_name_nor_page_nor_address_matters(guarded: Settings) -> None:
    with served(guarded, Authorization=TOKEN) as client:
        for header, value in (("Origin", PAGE), ("Host", "lms.example"), ("X-Forwarded-For", ELSEWHERE)):
            assert client.post(f"{ROW}/view", headers={header: value}).status_code == 200
            assert client.get("/healthz", headers={header: value, "Authorization": ""}).status_code == 200


def in_pieces(body: bytes) -> Iterator[bytes]:
    """Sent chunked, without a length."""
    yield from (body[start : start + 500] for start in range(0, len(body), 500))


def test_a_body_that_is_too_large_is_refused_with_and_without_a_length(settings: Settings, engine: Engine) -> None:
    events = json.dumps([as_json(viewed(seconds=9))]).encode()
    row = b'{"user_course_id": 1, "topic_id": 2, "lesson_id": 2}'
    bodies = [("POST", "/events", events, BATCH), ("POST", "/progress/", row, {"Content-Type": "application/json"})]
    bodies += [("PUT", ROW, b'{"status": "completed"}', bodies[1][3]), ("POST", f"{ROW}/view", b"{}", bodies[1][3])]
    before = snapshot(engine)
    with served(settings.model_copy(update={"api_body_bytes": 2_048})) as client:
        for method, path, body, headers in bodies:
            for content in (body.ljust(2_049), in_pieces(body.ljust(2_049)), in_pieces(body.ljust(50_000))):
                answer = client.request(method, path, content=content, headers=headers)
                assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)
                assert "larger than 2048 bytes" in answer.json()["detail"]
        assert snapshot(engine) == before
        for method, path, body, headers in bodies:
            for content in (body.ljust(2_048), in_pieces(body.ljust(2_048))):
                assert client.request(method, path, content=content, headers=headers).is_success


def test_only_a_batch_of_events_may_be_large(settings: Settings) -> None:
    """A body of a few megabytes of members that are refused one by one would hold up everybody for seconds."""
    with served(settings) as client:
        for size, status in ((MAX_BYTES, 200), (MAX_BYTES + 1, 413)):
            content, headers = b"{}".ljust(size), {"Content-Type": "application/json"}
            assert client.post(f"{ROW}/view", content=content, headers=headers).status_code == status
        assert client.post("/events", content=b"[]".ljust(MAX_BYTES + 1), headers=BATCH).status_code == 200


def test_a_body_that_says_it_is_too_large_is_not_waited_for(settings: Settings) -> None:
    with served(settings) as client, socket.create_connection(("127.0.0.1", client.base_url.port or 0), 20) as caller:
        caller.sendall(f"POST {ROW}/view HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**9}\r\n\r\n".encode())
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


def assert_has_to_wait(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (429, PROBLEM)
    assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_who_sends_bad_requests_without_a_token_waits_and_nobody_else(guarded: Settings) -> None:
    with served(guarded.model_copy(update={"api_bad_requests_per_minute": 3})) as client:
        for authorization in ("", WRONG, "Basic x"):
            assert client.get(ROW, headers={"Authorization": authorization}).status_code == 401
        assert_has_to_wait(client.get(ROW))
        assert_has_to_wait(client.post("/events", headers={"Authorization": WRONG}))
        assert client.get(ROW, headers={"Authorization": TOKEN}).status_code == 200
        assert [client.get(path).status_code for path in PUBLIC] == [200] * len(PUBLIC)
        assert client.get(ROW, headers={"X-Forwarded-For": ELSEWHERE}).status_code == 401


def test_a_token_that_sends_bad_requests_waits_alone(guarded: Settings, engine: Engine) -> None:
    with served(guarded.model_copy(update={"api_bad_requests_per_minute": 3}), Authorization=TOKEN) as client:
        statuses = [client.get("/progress/0/1/1"), client.post("/events"), client.put(ROW, json={})]
        assert [answer.status_code for answer in statuses] == [422, 415, 422]
        before = snapshot(engine)
        assert_has_to_wait(client.post(f"{ROW}/complete"))
        assert_has_to_wait(client.get(ROW, headers={"X-Forwarded-For": ELSEWHERE}))
        assert snapshot(engine) == before
        assert client.get(ROW, headers={"Authorization": OTHER}).status_code == 200
        assert client.get(ROW, headers={"Authorization": WRONG}).status_code == 401


def test_asking_for_what_is_not_there_is_no_bad_request(guarded: Settings) -> None:
    with served(guarded.model_copy(update={"api_bad_requests_per_minute": 1}), Authorization=TOKEN) as client:
        for path in ("/progress/2/1/1", "/progress/course/2/summary", "/nothing"):
            assert client.get(path).status_code == 404
        assert client.get(ROW).status_code == 200
