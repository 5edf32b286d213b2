"""Nothing is open by oversight, a token can be changed without a gap, and the log tells of no learner and no token.

Which token may do what is in test_api_authorization.py, the other checks in test_api_middleware.py.
"""

import json
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import ServeProcess, served
from tests.support.events import as_json, viewed
from tests.support.tables import execute, insert_as_lms, snapshot
from worker.api.middleware import PUBLIC
from worker.settings import Settings

DOCS = {"/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"}

ALL, OLD, LIMITED = "everything-everywhere", "what-it-was-before", "everything-in-one-course"
TOKENS: list[dict[str, Any]] = [
    {"name": "lms", "token": ALL, "scopes": ["read", "write"]},
    {"name": "lms", "token": OLD, "scopes": ["read", "write"]},
    {"name": "limited", "token": LIMITED, "scopes": ["read", "write"], "courses": [4]},
]
BATCH = "application/cloudevents-batch+json"
SUMMARY = "/progress/course/1/summary"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def guarded(settings: Settings, tokens: list[dict[str, Any]]) -> Settings:
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens))})


def test_whatever_path_is_not_public_needs_a_token_even_one_that_is_not_there(
    settings: Settings, engine: Engine
) -> None:
    """So an endpoint that the document does not list, or that somebody adds, is closed too."""
    assert {"/healthz", "/readyz", "/openapi.json", *DOCS} == PUBLIC
    insert_as_lms(engine, 1)
    before = snapshot(engine)
    others = ("/", "/nowhere", "/healthz/", "//healthz", "/healthz/../progress/1/1/1", "/docs/", "/redoc", "/progress")
    with served(guarded(settings, TOKENS)) as client:
        for path in (*others, SUMMARY, "/progress/1/1/1", "/events"):
            for method in METHODS:
                assert client.request(method, path).status_code == 401, (method, path)
        for path in PUBLIC:
            assert client.get(path).status_code == 200
    assert snapshot(engine) == before


def test_both_tokens_of_a_client_are_good_until_one_is_taken_out(settings: Settings, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    for tokens, statuses in ((TOKENS[1:], [401, 200]), (TOKENS, [200, 200]), (TOKENS[:1], [200, 401])):
        with served(guarded(settings, tokens)) as client:
            assert [client.get(SUMMARY, headers=bearer(each)).status_code for each in (ALL, OLD)] == statuses


def test_the_log_has_each_request_but_no_learner_and_no_token(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    learner, topic, lesson = 9_876_543_210, 1_987_654_321, 1_876_543_210
    insert_as_lms(engine, learner)
    execute(engine, f"ALTER TABLE user_course_progress ADD CONSTRAINT lms_rule CHECK (lesson_id <> {lesson + 1})")
    environment |= {"PROGRESS_API_TOKENS": json.dumps(TOKENS), "PROGRESS_LOCK_TIMEOUT_SECONDS": "0.1"}
    server = ServeProcess(environment, tmp_path / "serve.log")
    asked: list[tuple[str, int]] = []
    try:
        with httpx.Client(base_url=str(server.url), headers=bearer(ALL), timeout=30) as client:

            def ask(method: str, path: str, status: int, **other: Any) -> None:
                assert client.request(method, path, **other).status_code == status
                asked.append((method, status))

            key = {"Idempotency-Key": f"{learner}-once"}
            row, other = f"/progress/{learner}/{topic}/{lesson}", f"/progress/{learner}/{topic}/{lesson + 1}"
            ask("POST", f"{row}/view", 200, headers=key)
            ask("POST", f"{row}/complete", 409, headers=key)
            ask("POST", f"{row}/view", 202, headers={"Prefer": "respond-async"})
            ask("PUT", row, 200, json={"status": "completed"})
            ask("PUT", row, 422, json={"status": f"{learner}"})
            ask("POST", f"{other}/view", 422)
            ask("GET", f"/progress/{learner + 1}/{topic}/{lesson}", 404)
            ask("GET", f"/progress/course/{learner}/summary?token={ALL}", 200)
            ask("GET", f"/nowhere/{learner}", 404)
            ask("GET", row, 401, headers=bearer(f"{learner}-guessed"))
            ask("GET", row, 403, headers=bearer(LIMITED))
            events = [as_json(viewed(learner, topic, each)) for each in (lesson, lesson + 1)] + [{"id": str(learner)}]
            ask("POST", "/events", 200, content=json.dumps(events), headers={"Content-Type": BATCH})
            with engine.connect() as holder:
                holder.exec_driver_sql("SELECT FROM user_course FOR UPDATE")
                ask("POST", f"{row}/view", 503)
                holder.rollback()
    finally:
        server.close()
    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    served_lines = [each for each in lines if each["event"] == "request_served"]
    assert [(each["method"], each["status"]) for each in served_lines] == asked
    assert served_lines[0]["route"] == "/progress/{user_course_id}/{topic_id}/{lesson_id}/view"
    assert (served_lines[0]["client"], served_lines[9]["client"]) == ("lms", None)
    for secret in (ALL, OLD, LIMITED, "guessed", f"{learner}"[:-1], f"{topic}", f"{lesson}"[:-1]):
        assert secret not in log
