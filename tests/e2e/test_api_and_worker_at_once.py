"""Many clients write to one enrollment while a worker consumes its events: the rows are as if all had come in turn."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import httpx
import pytest

from tests.support.api import ServeProcess
from tests.support.events import START, completed, enrolled, viewed
from tests.support.model import assert_progress_follows_from_ledger
from tests.support.rollups import audited, wait_for_rollups
from tests.support.system import System
from tests.support.tables import rows
from worker.client import EventPublisher
from worker.contract.event import CloudEvent, LessonEvent
from worker.progress.lesson_event import SOURCE

pytestmark = pytest.mark.second_tier

CLIENTS = 16
LESSON = "/progress/1/1/1"
ENROLLED = enrolled(1)

Request = Callable[[httpx.Client], httpx.Response]


@pytest.fixture
def clients(system: System, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Each with a connection of its own to one API process, beside a worker and beat; enrollment 1 is there."""
    patient = system.environment(lock_timeout_seconds=30, statement_timeout_seconds=30, connect_timeout_seconds=30)
    process = ServeProcess(patient, tmp_path / "serve.log")
    clients = [httpx.Client(base_url=str(process.url), timeout=60) for _ in range(CLIENTS)]
    system.start_worker(2)
    system.start_beat()
    system.publish([ENROLLED])
    system.wait_until_drained()
    yield clients
    for client in clients:
        client.close()
    process.close()


def at_once(
    system: System, clients: Sequence[httpx.Client], requests: Sequence[Request], published: Sequence[LessonEvent]
) -> list[httpx.Response]:
    """Deal requests and events out to the clients, which begin together; all answers, each of them 200."""
    together = Barrier(len(clients))
    publisher = EventPublisher(settings=system.settings)
    share = -(-len(published) // len(requests))

    def play(client: httpx.Client, hand: Iterable[tuple[int, Request]]) -> list[httpx.Response]:
        together.wait(20)
        answers = []
        for number, request in hand:
            publisher.publish_many(published[number * share : (number + 1) * share])
            answers.append(request(client))
        return answers

    hands = [list(enumerate(requests))[number :: len(clients)] for number in range(len(clients))]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(chain.from_iterable(pool.map(play, clients, hands)))
    assert [(each.request.url, each.text) for each in answers if each.status_code != 200] == []
    return answers


def marks(source: str, seconds: Iterable[float]) -> list[LessonEvent]:
    """Views and completions of one lesson in turn, at these times."""
    return [
        (viewed if number % 2 else completed)(seconds=each, section_id=number + 1, source=source)
        for number, each in enumerate(seconds)
    ]


def mark(event: LessonEvent, client: httpx.Client) -> httpx.Response:
    """The event as a request."""
    action = "view" if event.type == "lesson.viewed" else "complete"
    body = {"occurred_at": event.time.isoformat(), "section_id": event.data.section_id}
    return client.post(f"{LESSON}/{action}", json=body, headers={"Idempotency-Key": event.id})


def put(changes: dict[str, str], key: str, client: httpx.Client) -> httpx.Response:
    """Set the row by hand."""
    return client.put(LESSON, json=changes, headers={"Idempotency-Key": key})


def alternations(system: System, own: set[str]) -> int:
    """How often the worker's recording followed on the API's or the other way."""
    recorded = rows(system.engine, "SELECT event_id::text FROM lesson_event ORDER BY recorded_at")
    is_own = [key in own for (key,) in recorded]
    return sum(before != after for before, after in pairwise(is_own))


def test_sixteen_clients_and_a_worker_mark_one_lesson_as_if_they_came_in_turn(
    system: System, clients: list[httpx.Client]
) -> None:
    chance = random.Random(16)
    times = chance.sample(range(-100_000, 100_000), 5 * 150)
    known: list[CloudEvent] = [ENROLLED]
    own: set[str] = set()
    for start in range(0, len(times), 150):
        given = marks(SOURCE, times[start : start + 50])
        published = marks("/lms", times[start + 50 : start + 150])
        requests = [partial(mark, event) for event in chance.sample([*given, *given[::2]], 75)]
        at_once(system, clients, requests, [*published, *published[::3]])
        known += [*given, *published]
        own |= {event.event_id for event in given}
    system.assert_exact(known)
    assert alternations(system, own) > 2, "they did not come at once"


def test_a_storm_of_corrections_leaves_what_the_ledger_says(system: System, clients: list[httpx.Client]) -> None:
    """Every other client corrects, and is answered with what it set, whatever the others mark, some of it later."""
    chance = random.Random(8)
    now = (datetime.now(UTC) - START).total_seconds()
    times = [now + each for each in chance.sample(range(-1_000, 240), 350)]
    given, published = marks(SOURCE, times[:100]), marks("/lms", times[100:])
    clients[0].post(f"{LESSON}/view").raise_for_status()
    wanted = {str(uuid4()): chance.choice(["not_started", "in_progress", "completed"]) for _ in range(100)}
    puts = [partial(put, {"status": status}, key) for key, status in wanted.items()]
    alternately = chain.from_iterable(zip(puts, [partial(mark, event) for event in given], strict=True))
    answers = at_once(system, clients, [*alternately, *puts[:16]], [*published, *published[::5]])

    statuses = {each.request.headers["Idempotency-Key"]: each.json()["status"] for each in answers}
    once = list(wanted)[16:]
    assert {key: statuses[key] for key in once} == {key: wanted[key] for key in once}
    system.wait_until_drained()
    wait_for_rollups(system.engine)
    assert_progress_follows_from_ledger(system.engine)
    assert audited(system.engine) == []
    assert (system.pending(), system.dead_letters(), system._count_deadlocks()) == ({}, {}, 0)
    own = {*wanted, *(event.event_id for event in given)}
    recorded = {key for (key,) in rows(system.engine, "SELECT event_id::text FROM lesson_event")}
    assert recorded > own | {event.event_id for event in published}, "nothing is lost"
    assert len(recorded) == 1 + len(own) + len(published), "nothing but the first view is there besides"
    assert alternations(system, own) > 2, "they did not come at once"
