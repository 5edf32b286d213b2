"""Somebody asks the API for very much: nobody else waits for it, and no answer is without end."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import ServeProcess
from tests.support.events import as_json, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.api.shortened import MOST
from worker.services.ingest import ingest

LESSONS = [(1, lesson) for lesson in range(1, 28_001)]
"""About as many as one outline holds."""
AT_ONCE_SECONDS = 0.5
"""Some 0.1 s, and room for a busy machine; in the loop they took 2.7 s."""
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
def api(environment: dict[str, str], engine: Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """The API of a course with an outline of 28,000 lessons, and a learner who saw all of them."""
    ingest(engine, entries([enrolled(1), outlined(3, LESSONS)]))
    for start in range(0, len(LESSONS), 4_000):
        ingest(engine, entries([viewed(1, *lesson, seconds=lesson[1]) for lesson in LESSONS[start : start + 4_000]]))
    refresh_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")  # as autovacuum would have by and by
    with closing(ServeProcess(environment, tmp_path / "serve.log")) as process:
        with httpx.Client(base_url=str(process.url), timeout=200) as client:
            yield client


@contextmanager
def somebody_else(url: httpx.URL) -> Iterator[list[float]]:
    """How long `/healthz` took, asked again and again until the block ends."""
    taken: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=200) as client:
            while not over.is_set():
                started = time.monotonic()
                assert client.get("/healthz").status_code == 200
                taken.append(time.monotonic() - started)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


def test_whoever_asks_for_28_000_lessons_holds_up_nobody_and_gets_an_answer_that_ends(api: httpx.Client) -> None:
    new_ids = count(1)

    def outline() -> dict[str, object]:
        return as_json(outlined(4, LESSONS, seconds=next(new_ids)))

    for path in (
        "/analytics/course/3",
        "/analytics/learner/1",
        "/reports/course/3",
        "/reports/learner/1",
        "/reports/course/3/lessons.csv",
        "/reports/learner/1/lessons.json",
        "/progress/course/1/topic/1",
        "/progress/course/1/summary",
        "/progress/course/1?limit=1000",
        "/openapi.json",
        "POST /events",
    ):
        with somebody_else(api.base_url) as taken:
            if path == "POST /events":
                started = time.monotonic()
                answer = api.post("/events", content=json.dumps([outline(), outline()]), headers=BATCH)
            else:
                started = time.monotonic()
                answer = api.get(path)
        print("PROBE", path, answer.status_code, len(answer.content), round(time.monotonic() - started, 2), round(max(taken), 3), len(taken))
        assert answer.status_code == 200, answer.text[:500]
