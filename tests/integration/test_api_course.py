"""The endpoints of an enrollment: its summary, a topic, and all lessons page by page."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import rows, snapshot
from worker.contract.event import Event
from worker.contract.lesson import Lesson
from worker.progress.ingest import ingest
from worker.settings import Settings

OUTLINE: list[tuple[int, int] | tuple[int, int, str]] = [(2, 1, "Two"), (1, 2, "One"), (1, 1), (2, 9, "End")]
IN_ORDER: list[Lesson] = [(2, 1), (1, 2), (1, 1), (2, 9)]
HISTORY: list[Event] = [
    enrolled(1),
    completed(1, 2, 1, seconds=1),
    viewed(1, 1, 1, seconds=2, section_id=6),
    viewed(1, 7, 7, seconds=-1),
]
"""Lesson 7 of topic 7 is in no outline."""


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


@pytest.fixture
def outline(engine: Engine) -> None:
    """Enrollment 1 with its history in a course that has an outline."""
    ingest(engine, entries([*HISTORY, outlined(3, OUTLINE)]))


@pytest.fixture
def no_outline(engine: Engine) -> None:
    """The same in a course without one."""
    ingest(engine, entries(HISTORY))


def get(api: httpx.Client, path: str, **parameters: str | int) -> dict[str, Any]:
    answer = api.get(f"/progress/course/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def lessons(page: dict[str, Any]) -> list[Lesson]:
    return [(each["topic_id"], each["lesson_id"]) for each in page["lessons"]]


def refused(answer: httpx.Response, status: int) -> str:
    """The detail of a problem."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["status"] == status
    return str(answer.json()["detail"])


def all_pages(api: httpx.Client, limit: int, **parameters: str | int) -> list[list[Lesson]]:
    """The lessons of every page, following `next_after` to the end."""
    pages: list[list[Lesson]] = []
    while len(pages) < 10:
        page = get(api, "1", limit=limit, **parameters)
        pages.append(lessons(page))
        if page["next_after"] is None:
            return pages
        parameters["after"] = page["next_after"]
    raise AssertionError(pages)


SUMMARY = {
    "user_course_id": 1,
    "total_lessons": 4,
    "total_is_known": True,
    "completed_lessons": 1,
    "in_progress_lessons": 1,
    "not_started_lessons": 2,
    "completion_percentage": 25.0,
    "current_topic_id": 1,
    "current_lesson_id": 1,
    "current_section_id": 6,
    "next_topic_id": 1,
    "next_lesson_id": 1,
    "next_reason": "current",
    "last_activity_at": "2025-07-14T10:30:02Z",
}


@pytest.mark.usefixtures("outline")
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_a_summary_has_every_field(api: httpx.Client, engine: Engine, stored: bool) -> None:
    if stored:
        refresh_all(engine)
    found = get(api, "1/summary")
    assert datetime.fromisoformat(found.pop("refreshed_at")) <= datetime.now().astimezone()
    assert found == SUMMARY


@pytest.mark.usefixtures("outline")
def test_a_summary_is_never_stale(api: httpx.Client, engine: Engine) -> None:
    refresh_all(engine)
    ingest(engine, entries([completed(1, 2, 9, seconds=30), outlined(3, OUTLINE[:3], seconds=40)]))
    found = get(api, "1/summary")
    assert (found["total_lessons"], found["completed_lessons"], found["completion_percentage"]) == (3, 1, 33.33)
    assert (found["current_lesson_id"], found["next_lesson_id"], found["next_reason"]) == (9, 2, "not_completed")


@pytest.mark.usefixtures("no_outline")
def test_a_summary_shows_what_was_made_and_set_by_hand(api: httpx.Client, engine: Engine) -> None:
    refresh_all(engine)
    assert api.post("/progress/", json={"user_course_id": 1, "topic_id": 9, "lesson_id": 9}).status_code == 201
    found = get(api, "1/summary")
    assert (found["total_lessons"], found["not_started_lessons"]) == (4, 1)
    refresh_all(engine)
    assert api.put("/progress/1/9/9", json={"status": "completed"}).status_code == 200
    found = get(api, "1/summary")
    assert (found["completed_lessons"], found["not_started_lessons"], found["current_lesson_id"]) == (2, 0, 1)
    assert audited(engine) == []


def test_a_summary_before_the_first_lesson_is_of_nothing(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([enrolled(1)]))
    found = get(api, "1/summary")
    assert (found["total_lessons"], found["completion_percentage"]) == (0, 0)
    assert [found[name] for name in ("current_topic_id", "next_topic_id", "next_reason", "last_activity_at")] == [
        None
    ] * 4


@pytest.mark.usefixtures("outline")
def test_lessons_come_in_outline_order_with_their_rows_titles_and_gaps(api: httpx.Client, engine: Engine) -> None:
    page = get(api, "1")
    assert (page["user_course_id"], page["next_after"]) == (1, None)
    assert lessons(page) == IN_ORDER
    assert [each["title"] for each in page["lessons"]] == ["Two", "One", None, "End"]
    assert [each["status"] for each in page["lessons"]] == ["completed", "not_started", "in_progress", "not_started"]
    ((row_id, created, updated),) = rows(
        engine, "SELECT id, created_at, updated_at FROM user_course_progress WHERE (topic_id, lesson_id) = (2, 1)"
    )
    done, gap = page["lessons"][:2]
    assert done["id"] == row_id
    times = ("last_viewed_at", "completed_at", "created_at", "updated_at")
    assert [datetime.fromisoformat(done[name]) for name in times] == [at(1), at(1), created, updated]
    assert gap == {
        **dict.fromkeys(["id", *times]),
        "user_course_id": 1,
        "topic_id": 1,
        "lesson_id": 2,
        "title": "One",
        "status": "not_started",
    }


@pytest.mark.usefixtures("outline")
def test_the_lessons_of_another_enrollment_are_its_own(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([enrolled(2), completed(2, 1, 2), enrolled(4, course_id=8), viewed(4, 5, 5)]))
    assert [each["status"] for each in get(api, "2")["lessons"]] == [
        "not_started",
        "completed",
        "not_started",
        "not_started",
    ]
    assert lessons(get(api, "4")) == [(5, 5)]


@pytest.mark.usefixtures("outline")
def test_lessons_that_left_the_outline_are_not_shown(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([outlined(3, [(1, 1, "Only")], seconds=50)]))
    assert lessons(get(api, "1")) == [(1, 1)]
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(3,)]
    assert "topic 2" in refused(api.get("/progress/course/1/topic/2"), 404)
    ingest(engine, entries([outlined(3, [], seconds=60)]))
    assert get(api, "1") == {"user_course_id": 1, "lessons": [], "next_after": None}


@pytest.mark.usefixtures("no_outline")
def test_without_an_outline_the_rows_stand_for_it_by_topic_and_lesson(api: httpx.Client) -> None:
    assert lessons(get(api, "1")) == [(1, 1), (2, 1), (7, 7)]
    assert {each["title"] for each in get(api, "1")["lessons"]} == {None}


@pytest.mark.usefixtures("outline")
def test_every_page_of_the_outline(api: httpx.Client) -> None:
    assert all_pages(api, 1) == [[each] for each in IN_ORDER]
    assert all_pages(api, 2) == [IN_ORDER[:2], IN_ORDER[2:]]
    assert all_pages(api, 3) == [IN_ORDER[:3], IN_ORDER[3:]]
    assert all_pages(api, 4) == [IN_ORDER]
    assert get(api, "1", limit=2)["next_after"] == "1-2-1"
    assert lessons(get(api, "1", after="2-9-1")) == []


@pytest.mark.usefixtures("no_outline")
def test_every_page_of_the_rows(api: httpx.Client) -> None:
    assert all_pages(api, 1) == [[(1, 1)], [(2, 1)], [(7, 7)]]
    assert all_pages(api, 2) == [[(1, 1), (2, 1)], [(7, 7)]]
    assert all_pages(api, 3) == [[(1, 1), (2, 1), (7, 7)]]
    assert lessons(get(api, "1", after="1-2147483647-0")) == [(2, 1), (7, 7)]


@pytest.mark.usefixtures("no_outline")
def test_a_page_of_two_hundred_unless_told(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([outlined(3, [(1, number) for number in range(1, 302)])]))
    assert [len(page) for page in all_pages(api, 1_000)] == [301]
    first = get(api, "1")
    assert (len(first["lessons"]), first["next_after"]) == (200, "1-200-1")


@pytest.mark.parametrize("has_outline", [True, False], ids=["with an outline", "without one"])
def test_one_status_alone_and_its_pages(api: httpx.Client, engine: Engine, has_outline: bool) -> None:
    ingest(engine, entries(HISTORY))
    ingest(engine, entries([corrected(1, 1, 2), *([outlined(3, OUTLINE)] if has_outline else [])]))
    assert all_pages(api, 1, status="completed") == [[(2, 1)]]
    assert all_pages(api, 5, status="in_progress") == [[(1, 1)] if has_outline else [(1, 1), (7, 7)]]
    assert all_pages(api, 1, status="not_started") == ([[(1, 2)], [(2, 9)]] if has_outline else [[(1, 2)]])
    assert "status" in refused(api.get("/progress/course/1", params={"status": "done"}), 422)


@pytest.mark.usefixtures("outline")
@pytest.mark.parametrize("now", [[(2, 1), (1, 1), (2, 9)], [*IN_ORDER[2:], *IN_ORDER[:2]]], ids=["fewer", "moved"])
def test_a_page_of_another_outline_is_a_conflict(api: httpx.Client, engine: Engine, now: list[tuple[int, int]]) -> None:
    """Lessons that moved in front of the bookmark would be on no page."""
    after = get(api, "1", limit=2)["next_after"]
    ingest(engine, entries([outlined(3, now, seconds=50)]))
    detail = refused(api.get("/progress/course/1", params={"after": after}), 409)
    assert "outline has changed" in detail
    assert "first page" in detail


@pytest.mark.usefixtures("outline")
def test_a_topic_in_outline_order_with_its_totals(api: httpx.Client) -> None:
    found = get(api, "1/topic/1")
    assert lessons(found) == [(1, 2), (1, 1)]
    assert found["lessons"] == get(api, "1")["lessons"][1:3]
    del found["lessons"]
    assert found == {
        "user_course_id": 1,
        "topic_id": 1,
        "total_lessons": 2,
        "total_is_known": True,
        "completed_lessons": 0,
        "in_progress_lessons": 1,
        "not_started_lessons": 1,
        "completion_percentage": 0,
    }
    found = get(api, "1/topic/2")
    assert lessons(found) == [(2, 1), (2, 9)]
    assert (found["completed_lessons"], found["completion_percentage"]) == (1, 50.0)


@pytest.mark.usefixtures("no_outline")
def test_a_topic_without_an_outline_is_the_enrollments_rows(api: httpx.Client) -> None:
    found = get(api, "1/topic/7")
    assert (lessons(found), found["total_lessons"], found["in_progress_lessons"]) == ([(7, 7)], 1, 1)
    assert "Enrollment 1 has no lesson in topic 3" in refused(api.get("/progress/course/1/topic/3"), 404)


@pytest.mark.usefixtures("outline")
def test_an_enrollment_that_is_not_there_is_not_found(api: httpx.Client) -> None:
    for path in ("2", "2/summary", "2/topic/1", "9223372036854775807/summary"):
        assert "There is no enrollment" in refused(api.get(f"/progress/course/{path}"), 404)


OUT_OF_RANGE = {
    "user_course_id": ["0", "0/summary", "0/topic/1", "9223372036854775808"],
    "topic_id": ["1/topic/0", "1/topic/2147483648"],
    "limit": ["1?limit=0", "1?limit=1001", "1?limit=x"],
    "after": ["1?after=1", "1?after=1-", "1?after=1-2", "1?after=1-2-3-4", "1?after=-1-2", "1?after="],
}


def test_what_is_out_of_range_is_refused_by_its_name(api: httpx.Client) -> None:
    for name, paths in OUT_OF_RANGE.items():
        for path in paths:
            assert name in refused(api.get(f"/progress/course/{path}"), 422), path


@pytest.mark.usefixtures("outline")
def test_an_after_beyond_every_lesson_is_no_lesson(api: httpx.Client) -> None:
    refused(api.get("/progress/course/1", params={"after": "9999999999-9999999999-1"}), 409)


@pytest.mark.usefixtures("outline")
def test_reading_writes_nothing(api: httpx.Client, engine: Engine) -> None:
    before = snapshot(engine)
    for path in ("1", "1/summary", "1/topic/1"):
        get(api, path)
    assert snapshot(engine) == before


@pytest.mark.usefixtures("outline")
def test_fixed_paths_are_not_taken_for_a_lesson(api: httpx.Client) -> None:
    """`course` is no enrollment, nor is `summary` a lesson."""
    assert "total_lessons" in get(api, "1/summary")
    assert api.get("/progress/course/1/1").status_code == 404
    assert api.get("/progress/course/x/summary").status_code == 404
    assert api.put("/progress/course/1/summary", json={"status": "completed"}).status_code == 405
