"""`/canvas`: the token in the path, which is logged nowhere, and signed payloads by keys that rotate."""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from pydantic import SecretStr
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.api import served
from tests.support.caliper import envelope
from tests.support.canvas import as_caliper, asset, live, shown
from tests.support.doors import consume
from tests.support.named import rows_by_name
from tests.support.tables import rows
from worker.api import signed_payloads
from worker.api.app import create_app
from worker.api.middleware import MAX_BYTES
from worker.api.problems import RETRY_SECONDS
from worker.consume.consumer import Consumer
from worker.errors import ConfigurationError
from worker.settings import Settings

GOOD, READER, ODD = "token-of-the-canvas", "token-of-a-reader", "odd/token+of?canvas%20#1"
TOKENS = [
    {"name": "canvas", "token": GOOD, "scopes": ["write"], "connection": "school"},
    {"name": "reader", "token": READER, "scopes": ["read"]},
    {"name": "odd", "token": ODD, "scopes": ["write"], "connection": "school"},
]
EVENT = live("asset_accessed", asset())
ROW = ("school", "user:4", "course:565", "wiki_page:144")


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})) as client:
        yield client


def test_the_token_may_be_in_the_path_or_the_header(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    bearer = {"Authorization": f"Bearer {GOOD}"}
    for answer in (
        api.post(f"/canvas/{GOOD}", json=EVENT),
        api.post(f"/canvas/{GOOD}/", json=EVENT),
        api.post(f"/canvas/{GOOD}", json=[EVENT], headers={"Authorization": "Bearer of-another"}),
        api.post("/canvas/odd%2Ftoken%2Bof%3Fcanvas%2520%231", json=EVENT),
        api.post("/canvas", json={"Records": [{"body": json.dumps(EVENT)}]}, headers=bearer),
        api.post("/canvas/another", json=EVENT, headers=bearer),
        api.post(f"/canvas/{GOOD}", content=json.dumps(EVENT), headers={"Content-Type": "text/plain"}),
    ):
        assert (answer.status_code, answer.content) == (200, b""), answer.text
    consume(consumer)
    assert rows_by_name(engine).keys() == {ROW}
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/canvas", 401),
        ("/canvas/", 401),
        (f"/canvas/{GOOD}x", 401),
        (f"/canvas/{GOOD[:-1]}", 401),
        (f"/canvas/{GOOD.upper()}", 401),
        (f"/canvas/x/{GOOD}", 401),
        (f"/canvas//{GOOD}", 401),
        (f"/Canvas/{GOOD}", 401),
        (f"/caliper/{GOOD}", 401),
        (f"/events/{GOOD}", 401),
        (f"/canvas?token={GOOD}", 401),
        (f"/canvas/{READER}", 403),
    ],
)
def test_without_a_token_nothing_is_taken(
    path: str, status: int, api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    with capture_logs() as logged:
        answer = api.post(path, json=EVENT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert GOOD not in answer.text + str(logged) + str(answer.headers)
    consume(consumer)
    assert rows_by_name(engine) == {}


def test_no_answer_or_line_of_the_log_has_the_token(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    with capture_logs() as logged:
        answers = [
            api.post(f"/canvas/{GOOD}", json=EVENT),
            api.post(f"/canvas/{GOOD}", content="{"),
            api.post(f"/canvas/{GOOD}", json={"metadata": {}, "body": {}}),
            api.get(f"/canvas/{GOOD}"),
            api.put(f"/canvas/{GOOD}", json=EVENT),
        ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 403, 405]
    consume(consumer)
    ((body, reason),) = rows(engine, "SELECT body, reason FROM dead_letter")
    assert reason == "not_translated"
    seen = body.decode() + str(logged) + "".join(answer.text + str(answer.headers) for answer in answers)
    assert GOOD not in seen
    lines = [each for each in logged if each["event"] == "request_served"]
    assert {each["client"] for each in lines} == {"canvas"}
    assert {each["route"] for each in lines} <= {"/canvas/{token}", None}


def test_guessing_is_limited(settings: Settings) -> None:
    limited = {"api_tokens": SecretStr(json.dumps(TOKENS)), "api_bad_requests_per_minute": 3}
    with served(settings.model_copy(update=limited)) as api:
        statuses = [api.post(f"/canvas/guess-number-{n}", json=EVENT).status_code for n in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert api.post(f"/canvas/{GOOD}", json=EVENT).status_code == 200


def test_a_large_body_is_taken_with_a_token_in_the_path(api: httpx.Client) -> None:
    events = [live("asset_accessed", asset(asset_id=number + 1)) for number in range(MAX_BYTES // 200)]
    assert api.post(f"/canvas/{GOOD}", json=events).status_code == 200


def test_both_forms(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    view = as_caliper("NavigationEvent", "NavigatedTo", shown("wikiPage"), "Learner")
    for document in (envelope(view), [envelope(view)], view):
        assert api.post(f"/canvas/{GOOD}", json=document).status_code == 200
    consume(consumer)
    assert rows_by_name(engine).keys() == {ROW}
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


# ---- Signed payloads


class Keys:
    """Canvas's keys, at a URL; each signs by its name."""

    def __init__(self) -> None:
        self.private: dict[str, RSAPrivateKey] = {}
        self.asked = 0
        self.is_away = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                content = outer.document().encode()
                self.send_response(503 if outer.is_away else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def add(self, name: str) -> None:
        self.private[name] = generate_private_key(65537, 2048)

    def document(self) -> str:
        algorithm = jwt.algorithms.RSAAlgorithm
        keys = [json.loads(algorithm.to_jwk(key.public_key())) for key in self.private.values()]
        named = [each | {"kid": name, "use": "sig"} for each, name in zip(keys, self.private, strict=True)]
        return json.dumps({"keys": named})

    def signed(self, claims: Any, name: str = "2025-03", **other: Any) -> str:
        return jwt.encode(claims, self.private[name], "RS256", {"kid": name} | other)


@pytest.fixture
def keys() -> Iterator[Keys]:
    made = Keys()
    made.add("2025-03")
    signed_payloads._keys_at.cache_clear()
    yield made
    made.server.shutdown()
    made.server.server_close()


def checked(settings: Settings, where: str, folder: Path) -> Settings:
    """With these keys as those of the connection `school`."""
    file = folder / "connections.toml"
    file.write_text(f'[school]\nformat = "canvas"\ncanvas_jwks = "{where}"\n', encoding="utf-8")
    return settings.model_copy(update={"connections": file, "api_tokens": SecretStr(json.dumps(TOKENS))})


@pytest.mark.parametrize("is_file", [False, True])
def test_a_signed_payload_is_what_is_signed(
    is_file: bool, keys: Keys, settings: Settings, tmp_path: Path, engine: Engine, consumer: Consumer
) -> None:
    (tmp_path / "keys.json").write_text(keys.document(), encoding="utf-8")
    with served(checked(settings, str(tmp_path / "keys.json") if is_file else keys.url, tmp_path)) as api:
        for claims in (EVENT, EVENT | {"iat": 1, "exp": 2}, EVENT | {"nbf": 2**40, "aud": "x", "iss": "y"}):
            for body in (keys.signed(claims), f"\n{keys.signed(claims)}\r\n"):
                answer = api.post(f"/canvas/{GOOD}", content=body)
                assert (answer.status_code, answer.content) == (200, b""), answer.text
    assert keys.asked == (0 if is_file else 1)
    consume(consumer)
    assert rows_by_name(engine).keys() == {ROW}
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


def test_what_is_not_signed_by_a_key_of_canvas_is_refused(
    keys: Keys, settings: Settings, tmp_path: Path, engine: Engine, consumer: Consumer
) -> None:
    other = Keys()
    other.add("2025-03")
    other.server.shutdown()
    other.server.server_close()
    good = keys.signed(EVENT)
    head, payload, signature = good.split(".")
    changed = urlsafe_b64encode(json.dumps(live("quiz_submitted", {"quiz_id": 1})).encode()).decode().rstrip("=")
    public = keys.private["2025-03"].public_key()
    as_secret = json.dumps(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(public)))
    bodies = {
        "unsigned": json.dumps(EVENT),
        "another's": other.signed(EVENT),
        "changed": f"{head}.{changed}.{signature}",
        "cut": f"{head}.{payload}.{signature[:-4]}",
        "without a name": jwt.encode(EVENT, keys.private["2025-03"], "RS256"),
        "by no key": jwt.encode(EVENT, "", "none", {"kid": "2025-03"}) + "x",
        "by the public key": jwt.encode(EVENT, as_secret * 2, "HS256", {"kid": "2025-03"}),
        "by another algorithm": jwt.encode(EVENT, keys.private["2025-03"], "RS512", {"kid": "2025-03"}),
        "no JWT": "a.b.c",
    }
    with served(checked(settings, keys.url, tmp_path)) as api:
        for name, body in bodies.items():
            answer = api.post(f"/canvas/{GOOD}", content=body)
            assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json"), name
        assert api.post("/canvas/x", content=good).status_code == 401, "a signature is no token"
        not_json = jwt.PyJWS().encode(b"{", keys.private["2025-03"], "RS256", {"kid": "2025-03"})
        assert api.post(f"/canvas/{GOOD}", content=not_json).status_code == 400
    consume(consumer)
    assert rows_by_name(engine) == {}


def test_keys_rotate(keys: Keys, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(checked(settings, keys.url, tmp_path)) as api:
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT)).status_code == 200
        keys.add("2025-04")
        client = signed_payloads._keys_at(keys.url)
        assert client.cooldown_duration == 30
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT, "2025-04")).status_code == 403
        assert keys.asked == 1, "asked for an unknown key again within 30 s"
        monkeypatch.setattr(client, "cooldown_duration", 0)
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT, "2025-04")).status_code == 200
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT)).status_code == 200
        assert keys.asked == 2


def test_while_keys_cannot_be_had(keys: Keys, settings: Settings, tmp_path: Path) -> None:
    keys.is_away = True
    with served(checked(settings, keys.url, tmp_path)) as api:
        with capture_logs() as logged:
            answer = api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(RETRY_SECONDS))
        assert [each["connection"] for each in logged if each["event"] == "keys_unavailable"] == ["school"]
        keys.is_away = False
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT)).status_code == 200
        keys.is_away = True
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT)).status_code == 200, "they are kept"


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "x"}]}'])
def test_a_file_without_keys(content: str | None, keys: Keys, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with served(checked(settings, str(file), tmp_path)) as api:
        assert api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT)).status_code == 503


def test_a_signed_payload_where_none_is_expected(api: httpx.Client, keys: Keys) -> None:
    answer = api.post(f"/canvas/{GOOD}", content=keys.signed(EVENT))
    assert answer.status_code == 403
    assert "Set canvas_jwks of the connection school" in answer.json()["detail"]


def test_without_the_extra(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_payloads, "IS_INSTALLED", False)
    create_app(settings)
    with pytest.raises(ConfigurationError) as refused:
        create_app(checked(settings, "https://keys.example/jwks", tmp_path))
    assert str(refused.value) == (
        "PROGRESS_CONNECTIONS: [school] has canvas_jwks, which needs PyJWT: "
        "pip install 'course-progress-worker[canvas]'."
    )
