"""Somebody asks the API for very much: nobody else waits for it, and no answer is without end."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import ServeProcess
from tests.support.events import as_json, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.api.list_limits import MAX_MEMBERS
from worker.progress.ingest import ingest

pytestmark = pytest.mark.second_tier

LESSONS = [(1, lesson) for lesson in range(1, 28_001)]
"""About as many as one outline holds."""
SEEN = 4_000
AT_ONCE_SECONDS = 0.5
"""Some 0.1 s where nothing else runs; in the loop they took 2.7 s."""
SPIN_SECONDS = 0.005
ROOM = {"PROGRESS_API_BODY_BYTES": str(2**25)}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
def api(environment: dict[str, str], engine: Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """The API of a course with an outline of 28,000 lessons, and a learner who saw many of them."""
    ingest(engine, entries([enrolled(1), outlined(3, LESSONS)]))
    ingest(engine, entries([viewed(1, *lesson, seconds=lesson[1]) for lesson in LESSONS[:SEEN]]))
    refresh_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")  # as autovacuum would have by and by
    with ExitStack() as stack:
        process = stack.enter_context(closing(ServeProcess({**environment, **ROOM}, tmp_path / "serve.log")))
        yield stack.enter_context(httpx.Client(base_url=str(process.url), timeout=60))


@contextmanager
def somebody_else(url: httpx.URL) -> Iterator[list[float]]:
    """How long `/healthz` took, asked again and again until the block ends.

    On a machine with other work all times are longer, what is in the loop too. How much longer, a piece of work between
    the questions tells: when the block ends the times are those of a processor that has nothing else to do.
    """
    taken: list[float] = []
    wall = processor = 0.0
    over = threading.Event()

    def ask() -> None:
        nonlocal wall, processor
        with httpx.Client(base_url=url, timeout=60) as client:
            while not over.is_set() or not taken:
                started = time.monotonic()
                assert client.get("/healthz").status_code == 200
                taken.append(time.monotonic() - started)
                started, spun = time.monotonic(), time.thread_time()
                while time.thread_time() - spun < SPIN_SECONDS:
                    pass
                wall += time.monotonic() - started
                processor += time.thread_time() - spun

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()
        taken[:] = [each * processor / wall for each in taken]


PATHS = {
    "/analytics/course/3": 1_000_000,
    "/analytics/learner/1": 1_000_000,
    "/reports/course/3": 3_000_000,
    "/reports/learner/1/lessons.json": 4_000_000,
    "/reports/course/3/lessons.csv": 4_000_000,
    "/progress/course/1/topic/1": 1_000_000,
    "/progress/course/1?limit=1000": 1_000_000,
    "/openapi.json": 1_000_000,
}
"""Most bytes of each answer."""


def test_whoever_asks_for_28_000_lessons_holds_up_nobody_and_gets_an_answer_that_ends(api: httpx.Client) -> None:
    for path, max_bytes in PATHS.items():
        with somebody_else(api.base_url) as taken:
            answer = api.get(path)
        assert answer.status_code == 200, answer.text[:500]
        assert len(answer.content) < max_bytes, path
        assert max(taken) < AT_ONCE_SECONDS, path
    course, learner = (api.get(path).json() for path in list(PATHS)[:2])
    assert (len(course["lessons"]), course["truncated"]) == (MAX_MEMBERS, ["lessons"])
    assert (len(learner["lessons"]), learner["truncated"][0]) == (MAX_MEMBERS, "lessons")
    assert api.get("/reports/course/3/lessons.csv").text.count("\n") == len(LESSONS) + 1
    topic = api.get("/progress/course/1/topic/1").json()
    assert (len(topic["lessons"]), topic["total_lessons"]) == (MAX_MEMBERS, len(LESSONS))
    assert topic["in_progress_lessons"] + topic["not_started_lessons"] == len(LESSONS)


def test_a_batch_with_the_largest_outlines_holds_up_nobody(api: httpx.Client) -> None:
    outlines = [as_json(outlined(4, LESSONS, seconds=seconds)) for seconds in range(12)]
    with somebody_else(api.base_url) as taken:
        answer = api.post("/events", content=json.dumps(outlines), headers=BATCH)
    assert [each["result"] for each in answer.json()["events"]] == ["applied"] * 12
    assert max(taken) < AT_ONCE_SECONDS
