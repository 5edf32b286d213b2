"""The endpoints of one lesson: statuses, bodies, what counts once, and what goes to the stream instead."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import at
from tests.support.model import assert_progress_follows_from_ledger
from tests.support.rollups import audited
from tests.support.tables import insert_as_lms, rows, snapshot
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.entry import FIELD, Entry
from worker.contract.parse import parse_entry
from worker.settings import Settings
from worker.streams.connection import Redis

BLANK = {"user_course_id": 1, "topic_id": 3, "lesson_id": 8}
LESSON = "/progress/1/3/8"
LEDGER = "SELECT type::text, section_id, duration_seconds, occurred_at FROM lesson_event"


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Iterator[httpx.Client]:
    """The API, with enrollment 1. At the end the rows are those of the ledger, and nothing was set aside."""
    insert_as_lms(engine, 1)
    with served(settings) as client:
        yield client
    assert audited(engine) == []
    assert_no_letters(engine)


def assert_no_letters(engine: Engine) -> None:
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def entries_of(redis: Redis, stream: str) -> list[bytes]:
    found: Any = redis.xrange(stream)
    return [fields[FIELD.encode()] for _, fields in found]


def assert_problem(answer: httpx.Response, status: int, says: str = "") -> None:
    request = answer.request
    assert answer.status_code == status, f"{request.method} {request.url} {request.content!r}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert says in problem["detail"]


def test_a_new_row_is_201_and_the_one_that_is_there_200_untouched(api: httpx.Client, engine: Engine) -> None:
    made = api.post("/progress/", json=BLANK)
    assert made.status_code == 201
    assert made.json() == BLANK | {
        "id": made.json()["id"],
        "status": "not_started",
        "last_viewed_at": None,
        "completed_at": None,
        "created_at": made.json()["created_at"],
        "updated_at": made.json()["created_at"],
    }
    before = snapshot(engine)
    again = api.post("/progress/", json=BLANK | {"status": "completed"})
    assert (again.status_code, again.json()) == (200, made.json())
    assert snapshot(engine) == before
    assert api.get(LESSON).json() == made.json()


def test_a_new_row_with_a_status_is_a_correction(api: httpx.Client, engine: Engine) -> None:
    times = {"last_viewed_at": "2025-07-14T12:30:09+02:00", "completed_at": "2025-07-14T10:30:05Z"}
    made = api.post("/progress/", json=BLANK | {"status": "completed"} | times)
    assert (made.status_code, made.json()["status"]) == (201, "completed")
    assert (made.json()["last_viewed_at"], made.json()["completed_at"]) == (
        "2025-07-14T10:30:09Z",
        "2025-07-14T10:30:05Z",
    )
    assert [row[0] for row in rows(engine, LEDGER)] == ["corrected"]


NULLS = {"last_viewed_at": None, "completed_at": None}


@pytest.mark.parametrize("nulls", [{}, NULLS], ids=["omitted", "null"])
@pytest.mark.parametrize("status", ["in_progress", "completed"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_start_or_completion_without_a_time_is_at_the_time_of_the_request(
    api: httpx.Client, engine: Engine, method: str, status: str, nulls: dict[str, None]
) -> None:
    if method == "PUT":
        api.post("/progress/", json=BLANK)
        nulls = {}  # there they take a time away
    ((before,),) = rows(engine, "SELECT clock_timestamp()")
    path, body = ("/progress/", BLANK) if method == "POST" else (LESSON, {})
    made = api.request(method, path, json={**body, "status": status, **nulls}, headers={"Idempotency-Key": "once"})
    assert made.json()["status"] == status
    at_request = datetime.fromisoformat(made.json()["last_viewed_at"])
    ((now,),) = rows(engine, "SELECT clock_timestamp()")
    assert before < at_request < now
    assert made.json()["completed_at"] == (made.json()["last_viewed_at"] if status == "completed" else None)
    if (method, status) == ("POST", "in_progress"):
        assert rows(engine, "SELECT type::text, occurred_at FROM lesson_event") == [("viewed", at_request)]
        summary = api.get("/progress/course/1/summary").json()
        assert summary["last_activity_at"] == made.json()["last_viewed_at"]
    else:
        known = rows(engine, "SELECT corrected_status::text, corrected_last_viewed_at FROM lesson_event")
        assert known == [(status, at_request)]
    again = api.request(method, path, json={**body, "status": status, **nulls}, headers={"Idempotency-Key": "once"})
    assert again.json() == made.json()
    assert_progress_follows_from_ledger(engine)


@pytest.mark.parametrize(
    ("verb", "kind", "status"),
    [("view", "viewed", "in_progress"), ("complete", "completed", "completed")],
)
def test_marking_answers_with_the_row(api: httpx.Client, engine: Engine, verb: str, kind: str, status: str) -> None:
    body = {"section_id": 2, "duration_seconds": 90, "occurred_at": "2025-07-14T10:30:05Z"}
    answer = api.post(f"{LESSON}/{verb}", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()["last_viewed_at"] == "2025-07-14T10:30:05Z"
    assert answer.json() == api.get(LESSON).json()
    assert rows(engine, LEDGER) == [(kind, 2, 90, at(5))]
    assert_progress_follows_from_ledger(engine)


def test_marking_without_a_body_is_now_and_each_time_once_more(api: httpx.Client, engine: Engine) -> None:
    before = datetime.now(UTC)
    for _ in range(2):
        assert api.post(f"{LESSON}/view").status_code == 200
    times = [row[3] for row in rows(engine, LEDGER)]
    assert len(times) == 2
    assert all(before <= time <= datetime.now(UTC) for time in times)


def test_a_view_never_takes_a_completion_back(api: httpx.Client) -> None:
    done = api.post(f"{LESSON}/complete").json()
    seen = api.post(f"{LESSON}/view").json()
    assert (seen["status"], seen["completed_at"]) == ("completed", done["completed_at"])
    assert seen["last_viewed_at"] > done["last_viewed_at"]


def test_putting_sets_what_is_given(api: httpx.Client) -> None:
    api.post(f"{LESSON}/view", json={"occurred_at": "2025-07-14T10:30:00Z"})
    done = api.put(LESSON, json={"status": "completed", "completed_at": "2025-07-14T10:30:05Z"})
    assert (done.status_code, done.json()["last_viewed_at"]) == (200, "2025-07-14T10:30:05Z")
    seen = api.put(LESSON, json={"last_viewed_at": "2025-07-14T10:30:09Z"}).json()
    assert (seen["status"], seen["completed_at"]) == ("completed", "2025-07-14T10:30:05Z")
    reset = api.put(LESSON, json={"status": "not_started", "last_viewed_at": None}).json()
    assert (reset["status"], reset["last_viewed_at"], reset["completed_at"]) == ("not_started", None, None)
    assert reset == api.get(LESSON).json()


REPEATED: dict[str, tuple[str, str, dict[str, Any] | None, tuple[str, str, dict[str, Any] | None]]] = {
    "view": ("POST", f"{LESSON}/view", None, ("POST", f"{LESSON}/complete", None)),
    "view with another body": (
        "POST",
        f"{LESSON}/view",
        {"duration_seconds": 90},
        ("POST", f"{LESSON}/view", {"duration_seconds": 60}),
    ),
    "view at another time": (
        "POST",
        f"{LESSON}/view",
        {"occurred_at": "2025-07-14T10:30:00Z"},
        ("POST", f"{LESSON}/view", {"occurred_at": "2025-07-14T10:30:01Z"}),
    ),
    "complete": ("POST", f"{LESSON}/complete", {"section_id": 2}, ("POST", f"{LESSON}/complete", None)),
    "another lesson": ("POST", f"{LESSON}/complete", None, ("POST", "/progress/1/3/9/complete", None)),
    "put": ("PUT", LESSON, {"status": "completed"}, ("PUT", LESSON, {"status": "in_progress"})),
    "put and view": ("PUT", LESSON, {"status": "completed"}, ("POST", f"{LESSON}/view", None)),
}


@pytest.mark.parametrize(("method", "path", "body", "other"), REPEATED.values(), ids=REPEATED)
def test_a_key_makes_it_once_and_for_something_else_it_is_409(
    api: httpx.Client,
    engine: Engine,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    other: tuple[str, str, dict[str, Any] | None],
) -> None:
    api.post("/progress/", json=BLANK)
    for key in ("0198a1b2-c3d4-7e5f-8a9b-000000000001", "order-17"):
        headers = {"Idempotency-Key": key}
        first = api.request(method, path, json=body, headers=headers)
        assert first.status_code == 200
        before = snapshot(engine)
        again = api.request(method, path, json=body, headers=headers)
        assert (again.status_code, again.json()) == (200, first.json())
        assert_problem(api.request(other[0], other[1], json=other[2], headers=headers), 409, "Nothing was changed")
        assert snapshot(engine) == before


def test_the_key_of_one_enrollment_is_free_in_another(api: httpx.Client, engine: Engine) -> None:
    insert_as_lms(engine, 2)
    for path in (LESSON, "/progress/2/3/9"):
        assert api.post(f"{path}/view", headers={"Idempotency-Key": "one"}).status_code == 200
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(2,)]


@pytest.mark.parametrize(("verb", "kind"), [("view", "lesson.viewed"), ("complete", "lesson.completed")])
def test_who_does_not_wait_finds_the_very_event_on_the_stream(
    api: httpx.Client, engine: Engine, redis: Redis, settings: Settings, consumer: Consumer, verb: str, kind: str
) -> None:
    body = {"section_id": 2, "duration_seconds": 90, "occurred_at": "2025-07-14T10:30:05Z"}
    headers = {"Idempotency-Key": "once", "Prefer": "wait=5, respond-async"}
    before = snapshot(engine)
    answer = api.post(f"{LESSON}/{verb}", json=body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"event_id": "once"})
    assert answer.headers["preference-applied"] == "respond-async"
    assert snapshot(engine) == before
    (sent,) = entries_of(redis, f"{settings.stream_key}:1")
    event = parse_entry(Entry("", f"{at(60).timestamp():.0f}000-0", sent))
    assert (event.type, event.id, event.time) == (kind, "once", at(5))
    assert event.data.model_dump() == BLANK | {"section_id": 2, "duration_seconds": 90}

    # Sent again, and this time waiting: whichever is recorded first, it counts once.
    assert api.post(f"{LESSON}/{verb}", json=body, headers={"Idempotency-Key": "once"}).status_code == 200
    before = snapshot(engine)
    Recovery(consumer).recover()
    assert consumer.read([f"{settings.stream_key}:1"], None).count == 1
    assert snapshot(engine) == before
    assert rows(engine, "SELECT event_id::text FROM lesson_event") == [(event.event_id,)]


def test_an_event_that_may_not_be_does_not_reach_the_stream(
    api: httpx.Client, redis: Redis, settings: Settings
) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    answer = api.post(f"{LESSON}/view", json={"occurred_at": ahead}, headers={"Prefer": "respond-async"})
    assert_problem(answer, 422, "more than 5 minutes ahead")
    assert redis.exists(f"{settings.stream_key}:1") == 0


NOT_FOUND = {
    "no enrollment, read": ("GET", "/progress/9/3/8", None),
    "no enrollment, made": ("POST", "/progress/", BLANK | {"user_course_id": 9}),
    "no enrollment, put": ("PUT", "/progress/9/3/8", {"status": "completed"}),
    "no enrollment, viewed": ("POST", "/progress/9/3/8/view", None),
    "no enrollment, completed": ("POST", "/progress/9/3/8/complete", None),
    "no row, read": ("GET", LESSON, None),
    "no row, put": ("PUT", LESSON, {"status": "completed"}),
    "no such path": ("GET", "/progress/1/3", None),
    "more digits than an id has": ("GET", f"/progress/{10**19}/3/8", None),
    "no number": ("GET", "/progress/1/3/eight", None),
}


def test_what_is_not_there_is_404(api: httpx.Client, engine: Engine) -> None:
    before = snapshot(engine)
    for method, path, body in NOT_FOUND.values():
        assert_problem(api.request(method, path, json=body), 404)
    assert snapshot(engine) == before


MISTAKES = {
    "an enrollment of 0": ("GET", "/progress/0/3/8", None),
    "an enrollment beyond 64 bits": ("GET", f"/progress/{2**63}/3/8", None),
    "a lesson beyond 32 bits": ("POST", f"/progress/1/3/{2**31}/view", None),
    "an unknown member": ("POST", f"{LESSON}/view", {"duration": 3}),
    "a time without an offset": ("POST", f"{LESSON}/view", {"occurred_at": "2025-07-14T10:30:00"}),
    "a time as a number": ("POST", f"{LESSON}/view", {"occurred_at": 1_752_489_000}),
    "a time before 1980": ("POST", f"{LESSON}/complete", {"occurred_at": "1979-12-31T23:59:59Z"}),
    "an id as text": ("POST", "/progress/", BLANK | {"lesson_id": "8"}),
    "an id as a float": ("POST", "/progress/", BLANK | {"lesson_id": 8.0}),
    "an id as a truth": ("POST", "/progress/", BLANK | {"topic_id": True}),
    "an unknown status": ("POST", "/progress/", BLANK | {"status": "done"}),
    "completed at, reset": (
        "POST",
        "/progress/",
        BLANK | {"status": "not_started", "completed_at": "2025-07-14T10:30:00Z"},
    ),
    "no body where one is needed": ("POST", "/progress/", None),
    "nothing to set": ("PUT", "/progress/1/3/7", {}),
    "a status of null": ("PUT", "/progress/1/3/7", {"status": None}),
    "completed at, in progress": (
        "PUT",
        "/progress/1/3/7",
        {"status": "in_progress", "completed_at": "2025-07-14T10:30:00Z"},
    ),
    "seen in the future": ("PUT", "/progress/1/3/7", {"last_viewed_at": "2999-01-01T00:00:00Z"}),
}


def test_a_mistake_is_422_and_nothing_changes(api: httpx.Client, engine: Engine) -> None:
    api.post("/progress/1/3/7/view")
    before = snapshot(engine)
    for method, path, body in MISTAKES.values():
        assert_problem(api.request(method, path, json=body), 422)
    for key in (f"{0:08}-0000-0000-0000-{0:012}", "F" * 32):
        for method, path, body in (
            ("POST", f"{LESSON}/view", None),
            ("POST", f"{LESSON}/complete", {"occurred_at": "2025-07-14T10:30:00Z"}),
            ("POST", "/progress/", BLANK | {"status": "completed"}),
            ("PUT", "/progress/1/3/7", {"status": "completed"}),
        ):
            for prefer in ("", "respond-async"):
                headers = [(b"Idempotency-Key", key.encode()), (b"Prefer", prefer.encode())]
                assert_problem(api.request(method, path, json=body, headers=headers), 422, "does not identify an event")
    for key in ("", "two words", "ü", "x" * 256):
        headers = [(b"Idempotency-Key", key.encode())]
        assert_problem(api.post(f"{LESSON}/view", headers=headers), 422, "Idempotency-Key")
    assert snapshot(engine) == before


def test_what_postgresql_itself_refuses_is_422_and_nothing_changes(api: httpx.Client, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE user_course_progress ADD CONSTRAINT lms_rule CHECK (lesson_id <> 8)")
    for verb in ("view", "complete"):
        assert_problem(api.post(f"{LESSON}/{verb}"), 422, "lms_rule")
    assert_problem(api.post("/progress/", json=BLANK), 422, "lms_rule")
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
