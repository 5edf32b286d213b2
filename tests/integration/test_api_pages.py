"""What a browser gets: the documentation, and leave for the pages of other origins to call, where it is given."""

import json
import re

import pytest
from pydantic import SecretStr

from tests.support.api import served
from worker.settings import Settings

PAGE, ALLOW = "https://lms.example", "Access-Control-Allow-Origin"
VALID = "a-token-of-this-test"
TYPES = {"css": "text/css", "js": "text/javascript", "json": "application/json"}
PREFLIGHT = {
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer",
}


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    tokens = [{"name": "page", "token": VALID, "scopes": ["read", "write"]}]
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens))})


def test_the_documentation_is_served_to_everybody(guarded: Settings) -> None:
    with served(guarded) as client:
        page = client.get("/docs")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert client.get("/openapi.json").json()["info"]["title"] == "Course progress"


def test_the_documentation_comes_from_this_host_alone(guarded: Settings) -> None:
    """Its policy forbids scripts and styles in the page; tests/e2e/test_docs_page.py runs it in a browser."""
    with served(guarded) as client:
        page = client.get("/docs")
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        named = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)
        names = ["/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/openapi.json"]
        assert sorted(named) == [*names, "data:,"]
        for path in names:
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["Content-Type"].split(";")[0] == TYPES[path.rpartition(".")[2]]


def test_by_default_no_other_origins_page_may_call(guarded: Settings) -> None:
    with served(guarded, Origin=PAGE, Authorization=f"Bearer {VALID}") as client:
        asked = [client.options("/progress/1/1/1", headers=PREFLIGHT), client.get("/healthz"), client.get("/nothing")]
    assert [answer.status_code for answer in asked] == [405, 200, 404]
    assert not any(name.startswith("access-control") for answer in asked for name in answer.headers)


def test_the_pages_of_an_origin_that_is_set_may_call(guarded: Settings) -> None:
    opened = guarded.model_copy(update={"api_cors_origins": f"https://other.example, {PAGE}"})
    with served(opened, Origin=PAGE) as client:
        preflight = client.options("/progress/1/1/1", headers=PREFLIGHT)  # browsers send no token with it
        assert (preflight.status_code, preflight.headers[ALLOW]) == (200, PAGE)
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT"
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        delete = client.options("/progress/1/1/1", headers=PREFLIGHT | {"Access-Control-Request-Method": "DELETE"})
        assert delete.status_code == 400
        for token, status in ((VALID, 404), ("wrong", 401)):  # a page can read the refusal too
            answer = client.get("/progress/1/1/1", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.headers[ALLOW]) == (status, PAGE)


@pytest.mark.parametrize("page", ["https://elsewhere.example", "http://lms.example", f"{PAGE}.elsewhere", "null"])
def test_the_pages_of_another_origin_still_may_not(page: str, guarded: Settings) -> None:
    with served(guarded.model_copy(update={"api_cors_origins": PAGE}), Origin=page) as client:
        assert client.options("/progress/1/1/1", headers=PREFLIGHT).status_code == 400
        answer = client.get("/progress/1/1/1", headers={"Authorization": f"Bearer {VALID}"})
        assert ALLOW not in client.options("/progress/1/1/1", headers=PREFLIGHT).headers
        assert ALLOW not in answer.headers


def test_without_tokens_such_a_page_may_call_and_no_other(settings: Settings) -> None:
    with served(settings.model_copy(update={"api_cors_origins": PAGE})) as client:
        assert client.get("/progress/1/1/1", headers={"Origin": PAGE}).status_code == 404
        assert client.get("/progress/1/1/1", headers={"Origin": "https://elsewhere.example"}).status_code == 403
