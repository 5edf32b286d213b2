"""Behind a proxy the API stands below a prefix: it is the same API, whatever the proxy does with it."""

import json
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import ServeProcess
from tests.support.events import as_json, enrolled, entries, viewed
from worker.api.middleware import MAX_BYTES
from worker.progress.ingest import ingest

TOKEN = "a-token-of-the-lms"  # noqa: S105 - of this test
TOKENS = json.dumps([{"name": "lms", "token": TOKEN, "scopes": ["read", "write"]}])
BATCH = {"Content-Type": "application/cloudevents-batch+json", "Authorization": f"Bearer {TOKEN}"}
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "root_path", ["/progress", *(pytest.param(each, marks=pytest.mark.second_tier) for each in ("/prefix/", "/a/b"))]
)
def test_below_a_prefix_it_is_the_same_api(
    environment: dict[str, str], engine: Engine, tmp_path: Path, root_path: str
) -> None:
    ingest(engine, entries([enrolled(1), viewed(1)]))
    prefix, lessons = root_path.rstrip("/"), count(1)
    guarded = {**environment, "PROGRESS_API_TOKENS": TOKENS}
    with ExitStack() as stack:
        process = stack.enter_context(closing(ServeProcess(guarded, tmp_path / "serve.log", "--root-path", root_path)))
        client = stack.enter_context(httpx.Client(timeout=30))
        for sent in [f"{process.url}{each}" for each in ("", "/", prefix, f"{prefix}/", f"/{prefix}")]:
            for public in ("/healthz", "/readyz", "/docs", "/docs/start.js", "/openapi.json"):
                assert client.get(f"{sent}{public}").status_code == 200, f"{sent}{public}"
            assert client.get(f"{sent}/progress/1/1/1").status_code == 401
            assert client.get(f"{sent}/progress/1/1/1", headers=WITH_TOKEN).status_code == 200
            assert client.get(f"{sent}/progress/course/1/summary", headers=WITH_TOKEN).status_code == 200
            large = json.dumps([as_json(viewed(1, 1, next(lessons)))]).ljust(MAX_BYTES + 1)
            answer = client.post(f"{sent}/events", content=large, headers=BATCH)
            assert answer.status_code == 200, answer.text
            assert client.post(f"{sent}/progress/1/1/1/view", content=large, headers=BATCH).status_code == 413
            for secret in ("/healthz/../progress/1/1/1", "/docs/progress/1/1/1", "/healthz/x"):
                assert client.get(f"{sent}{secret}").status_code in {401, 404}, f"{sent}{secret}"
        page = client.get(f"{process.url}/docs").text
        assert f'data-document="{prefix}/openapi.json"' in page
        assert f'src="{prefix}/docs/start.js"' in page
        assert client.get(f"{process.url}/openapi.json").json()["servers"] == [{"url": prefix}]
