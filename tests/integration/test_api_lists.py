"""The endpoints that list: courses, enrollments, many summaries, an enrollment's rows; what each shows, by pages."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import execute, insert_as_lms
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.read import MAX_SUMMARIES
from worker.summary.refresh import refresh_summaries

ALL, LIMITED = "everything-everywhere", "reads-in-one-course"
TOKENS = [
    {"name": "all", "token": ALL, "scopes": ["read", "write"]},
    {"name": "limited", "token": LIMITED, "scopes": ["read"], "courses": [3, 9]},
]
LARGEST = 2**63 - 1


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Iterator[httpx.Client]:
    """Courses 3 (outlined; enrollments 1, 2 and 5 of users 7, 8 and 7), 4 (3 and 4, of 7 and 8) and 6 (an outline)."""
    known = [enrolled(key, user_id=user, course_id=course) for key, user, course in ENROLLED]
    done = [completed(1, 1, 1, seconds=5), viewed(1, 1, 2, seconds=9, section_id=2), viewed(3, 8, 8)]
    ingest(engine, entries([outlined(3, [(1, 1), (1, 2), (2, 1)]), outlined(6, [(1, 1)]), *known, *done]))
    tokens = {"api_tokens": SecretStr(json.dumps(TOKENS)), "api_bad_requests_per_minute": 100_000}
    with served(settings.model_copy(update=tokens), Authorization=f"Bearer {ALL}") as client:
        yield client


ENROLLED = [(1, 7, 3), (2, 8, 3), (3, 7, 4), (4, 8, 4), (5, 7, 3)]


def get(api: httpx.Client, path: str, token: str = ALL, **query: Any) -> Any:
    answer = api.get(path, params=query, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(found: dict[str, Any]) -> list[int]:
    return [each["user_course_id"] for each in found["enrollments"]]


def test_courses_are_those_with_an_enrollment_or_an_outline_with_their_statistics(
    api: httpx.Client, engine: Engine
) -> None:
    listed = get(api, "/courses")
    assert listed["next_after"] is None
    assert listed["courses"] == [
        {"course_id": course, "total_lessons": lessons, "statistics": None, "computed_at": None}
        | {"as_of": None, "has_pending": True}
        for course, lessons in ((3, 3), (4, None), (6, 1))
    ]
    refresh_all(engine)
    for each in get(api, "/courses")["courses"]:
        analyzed = get(api, f"/analytics/course/{each['course_id']}")
        assert each["statistics"] == analyzed["statistics"]
        assert (each["computed_at"] is not None, analyzed["pending"], each["has_pending"]) == (True, 0, False)
        assert each["computed_at"] <= each["as_of"] <= analyzed["as_of"]


CHANGES: dict[str, Callable[[Engine], object]] = {
    "events": lambda engine: ingest(engine, entries([completed(5, 1, 1)])),
    "rows without events": lambda engine: execute(
        engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 8, 8)"
    ),
    "a time zone": lambda engine: execute(engine, "UPDATE user_course SET timezone = 'Asia/Tokyo' WHERE id = 1"),
    "a deletion": lambda engine: execute(engine, "DELETE FROM user_course WHERE id = 5"),
    "an outline": lambda engine: ingest(engine, entries([outlined(3, [(1, 1)], seconds=60)])),
    "summaries refreshed": lambda engine: (ingest(engine, entries([completed(5, 1, 1)])), refresh_summaries(engine, 9)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_course_with_changes_not_included_is_marked_as_its_analysis_is(
    api: httpx.Client, engine: Engine, change: str
) -> None:
    refresh_all(engine)
    CHANGES[change](engine)
    listed = get(api, "/courses")["courses"]
    assert [each["has_pending"] for each in listed] == [True, False, False]
    analyzed = get(api, "/analytics/course/3")
    assert (analyzed["as_of"], analyzed["pending"] > 0) == (listed[0]["as_of"], True)


def test_an_outlined_course_without_lessons_has_0_of_them(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([outlined(4, [])]))
    assert [each["total_lessons"] for each in get(api, "/courses")["courses"]] == [3, 0, 1]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize(("path", "member"), [("/courses", "courses"), ("/enrollments", "enrollments")])
def test_pages_together_are_the_whole_list(api: httpx.Client, path: str, member: str, limit: int) -> None:
    whole = get(api, path)[member]
    paged: list[Any] = []
    page: dict[str, Any] = {"next_after": 0}
    while page["next_after"] is not None:
        page = get(api, path, after=page["next_after"], limit=limit)
        assert 1 <= len(page[member]) <= limit
        paged += page[member]
    assert [each | {"refreshed_at": None} for each in paged] == [each | {"refreshed_at": None} for each in whole]


def test_enrollments_of_a_course_of_a_user_of_both_and_of_all(api: httpx.Client) -> None:
    assert ids(get(api, "/enrollments", course_id=3)) == [1, 2, 5]
    assert ids(get(api, "/enrollments", user_id=7)) == [1, 3, 5]
    assert ids(get(api, "/enrollments", user_id=7, course_id=3)) == [1, 5]
    assert ids(get(api, "/enrollments")) == [1, 2, 3, 4, 5]
    assert get(api, "/enrollments", user_id=LARGEST) == {"enrollments": [], "next_after": None}
    assert get(api, "/enrollments", course_id=LARGEST, after=LARGEST) == {"enrollments": [], "next_after": None}


@pytest.mark.parametrize(
    ("path", "name", "detail"),
    [
        ("/enrollments", "course_id", "Input should be greater than or equal to 1"),
        ("/enrollments", "user_id", "Input should be greater than or equal to 1"),
        ("/progress?user_course_id=1", "after", "String should match pattern"),
        ("/progress?user_course_id=1", "status", "Input should be 'not_started', 'in_progress' or 'completed'"),
        ("/courses", "limit", "Input should be greater than or equal to 1"),
    ],
)
def test_an_impossible_parameter_is_named_once_and_as_it_was_sent(
    api: httpx.Client, path: str, name: str, detail: str
) -> None:
    url, _, others = path.partition("?")
    answer = api.get(url, params=dict([others.split("=")] if others else []) | {name: "0"})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["location"]) == (422, f"query.{name}")
    assert error["detail"].startswith(detail)


def test_an_enrollment_is_listed_with_its_summary(api: httpx.Client, engine: Engine) -> None:
    refresh_all(engine)
    ingest(engine, entries([completed(5, 1, 1)]))  # the stored summary of 5 is stale
    listed = get(api, "/enrollments")["enrollments"]
    for each, (key, user_id, course_id) in zip(listed, ENROLLED, strict=True):
        assert (each.pop("user_id"), each.pop("course_id")) == (user_id, course_id)
        assert each | {"refreshed_at": 0} == get(api, f"/progress/course/{key}/summary") | {"refreshed_at": 0}
    assert [each["completed_lessons"] for each in listed] == [1, 0, 0, 0, 1]


def test_an_enrollment_of_the_lms_needs_no_user(api: httpx.Client, engine: Engine) -> None:
    execute(engine, "ALTER TABLE user_course ALTER user_id DROP NOT NULL, ALTER course_id DROP NOT NULL")
    execute(engine, "INSERT INTO user_course (id) VALUES (9)")
    (last,) = get(api, "/enrollments", after=5)["enrollments"]
    assert (last["user_course_id"], last["user_id"], last["course_id"]) == (9, None, None)


def test_many_summaries_are_those_of_each_in_the_order_asked_for(api: httpx.Client, engine: Engine) -> None:
    refresh_all(engine)
    ingest(engine, entries([completed(5, 1, 1)]))
    found = get(api, "/summaries", user_course_id=[5, 1, 3, 5])
    wanted = [get(api, f"/progress/course/{key}/summary") for key in (5, 1, 3)]
    assert [each | {"refreshed_at": 0} for each in found["summaries"]] == [
        each | {"refreshed_at": 0} for each in wanted
    ]
    assert found["unknown"] == []


def test_what_is_no_enrollment_is_named_and_stops_nothing(api: httpx.Client) -> None:
    bad = ["77", "0", "-1", "01", "1.0", "one", "", "٣", str(LARGEST), str(LARGEST + 1), "9" * 5_000]
    found = get(api, "/summaries", user_course_id=[*bad, "1", *bad])
    assert [each["user_course_id"] for each in found["summaries"]] == [1]
    assert found["unknown"] == [77, *bad[1:8], LARGEST, *bad[9:]]


def test_more_summaries_than_200_and_none_are_refused(api: httpx.Client, engine: Engine) -> None:
    many = range(1_001, 1_001 + MAX_SUMMARIES)
    insert_as_lms(engine, *many)
    assert len(get(api, "/summaries", user_course_id=list(many))["summaries"]) == MAX_SUMMARIES
    for query in ([], [*many, 1]):
        answer = api.get("/summaries", params={"user_course_id": query})
        assert (answer.status_code, answer.json()["status"]) == (422, 422)


def test_a_limited_token_sees_its_courses_alone(api: httpx.Client, engine: Engine) -> None:
    refresh_all(engine)
    assert [each["course_id"] for each in get(api, "/courses", LIMITED)["courses"]] == [3]
    assert ids(get(api, "/enrollments", LIMITED)) == [1, 2, 5]
    assert ids(get(api, "/enrollments", LIMITED, limit=2)) == [1, 2]
    assert ids(get(api, "/enrollments", LIMITED, user_id=7)) == [1, 5]
    assert ids(get(api, "/enrollments", LIMITED, course_id=3)) == [1, 2, 5]
    assert ids(get(api, "/enrollments", LIMITED, user_id=9)) == []


def test_a_limited_token_cannot_tell_what_is_elsewhere_from_what_is_not(api: httpx.Client) -> None:
    found = get(api, "/summaries", LIMITED, user_course_id=[1, 3, 77, 2])
    assert [each["user_course_id"] for each in found["summaries"]] == [1, 2]
    assert found["unknown"] == [3, 77]
    limited = {"Authorization": f"Bearer {LIMITED}"}
    for path, query in (("/enrollments", "course_id"), ("/progress/", "user_course_id")):
        answers = [api.get(path, params={query: each}, headers=limited) for each in (4, 77)]
        assert [answer.status_code for answer in answers] == [403, 403]
        details = [answer.json()["detail"] for answer in answers]
        assert details[0].replace("4", "77") == details[1]


def test_the_rows_of_an_enrollment_are_listed_as_they_are_stored(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([viewed(1, 9, 9), outlined(3, [(1, 1), (1, 2), (2, 1, None, [(9, 9)])], seconds=60)]))
    found = get(api, "/progress/", user_course_id=1)
    assert found["rows"] == [get(api, f"/progress/1/{place}") for place in ("1/1", "1/2", "9/9")]
    first = get(api, "/progress/", user_course_id=1, limit=2)
    rest = get(api, "/progress/", user_course_id=1, limit=2, after=first["next_after"])
    assert (first["rows"] + rest["rows"], rest["next_after"]) == (found["rows"], None)
    done = get(api, "/progress/", user_course_id=1, status="completed")
    assert [(row["topic_id"], row["lesson_id"]) for row in done["rows"]] == [(1, 1)]
    assert api.get("/progress/", params={"user_course_id": 77}).status_code == 404
    assert api.get("/progress/").status_code == 422


BODY = {"user_course_id": 1, "topic_id": 3, "lesson_id": 8}


def test_every_path_works_with_a_slash_at_its_end_and_without(api: httpx.Client) -> None:
    made = [api.post(path, json=BODY) for path in ("/progress", "/progress/")]
    assert [answer.status_code for answer in made] == [201, 200]
    assert made[0].json() == made[1].json()
    rows = [api.get(path, params={"user_course_id": 1}) for path in ("/progress", "/progress/")]
    assert [answer.status_code for answer in rows] == [200, 200]
    assert rows[0].json() == rows[1].json()
    for path in ("/progress/1/3/8", "/progress/course/1", "/courses"):
        assert api.get(f"{path}/").json() == api.get(path).json() != {}, path
    assert api.post("/progress/1/3/8/complete/", json={"section_id": 2}).json()["status"] == "completed"
    for path in ("/progress", "/progress/"):
        answer = api.put(path, json=BODY)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    many = [{"specversion": "1.0", "id": "1", "source": "/s", "type": "none"}] * 400
    content = {"Content-Type": "application/cloudevents-batch+json"}
    assert api.post("/events/", content=json.dumps(many), headers=content).status_code != 413
