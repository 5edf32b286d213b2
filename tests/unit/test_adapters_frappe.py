"""Frappe LMS's documents, clause by clause."""

from typing import Any

import pytest

from tests.support.lms_records import become, connection_of, enrollment, event_of, outcome, progress, shipped, shown

RECORDS = shipped("frappe")


@pytest.mark.parametrize("case", RECORDS, ids=[each["case"] for each in RECORDS])
def test_shipped_records(case: dict[str, Any]) -> None:
    expected = [
        each.get("event") or each.get("ignored") or f"rejected: {each['rejected']}" for each in case["outcomes"]
    ]
    found = become("frappe", case["record"], connection_of("frappe"))
    assert [each if isinstance(each, str) else shown(each) for each in found] == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"status": "Complete"}, "lesson.completed"),
        ({"status": "Partially Complete"}, "lesson.viewed"),
        ({"status": "Incomplete"}, "not_started"),
        ({"status": "Done"}, "rejected: bad_state"),
        ({"status": None}, "rejected: bad_state"),
        ({"member": "Administrator"}, "staff"),
        ({"member": "Guest"}, "anonymous"),
        ({"member": ""}, "rejected: no_learner"),
        ({"lesson": None}, "rejected: no_lesson"),
        ({"name": None}, "rejected: missing_member"),
        ({"name": 7}, "lesson.completed"),
        ({"course": None}, "lesson.completed"),
        ({"chapter": None}, "lesson.completed"),
        ({"modified": None}, "lesson.completed"),
        ({"modified": None, "creation": None}, "rejected: bad_time"),
        ({"modified": "01-03-2026"}, "rejected: bad_time"),
        ({"doctype": None}, "rejected: missing_member"),
        ({"doctype": "LMS Certificate"}, "event_type"),
        ({"doctype": "LMS Course Progress "}, "lesson.completed"),
    ],
    ids=repr,
)
def test_progress(members: dict[str, Any], expected: str) -> None:
    assert outcome("frappe", progress(**members)) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        *(({"member_type": each}, "enrollment.created") for each in ("Student", "", None)),
        *(({"member_type": each}, "staff") for each in ("Mentor", "Staff")),
        ({"member": "Administrator"}, "staff"),
        ({"member": None}, "rejected: no_learner"),
        ({"course": None}, "rejected: no_course"),
        ({"name": ""}, "rejected: missing_member"),
        ({"creation": None}, "rejected: bad_time"),
    ],
    ids=repr,
)
def test_enrollment(members: dict[str, Any], expected: str) -> None:
    assert outcome("frappe", enrollment(**members)) == expected


def test_the_time_is_in_the_zone_of_the_site() -> None:
    assert f"{event_of('frappe', progress()).time:%H:%M:%S.%f}" == "04:30:00.123456"
    assert f"{event_of('frappe', progress(modified='2026-03-01 10:00:00')).time:%H:%M}" == "04:30"
    bare = connection_of("frappe").model_copy(update={"timezone": None})
    assert become("frappe", progress(), bare) == ["rejected: no_offset"]


def test_each_save_of_a_progress_is_an_event_and_an_enrollment_is_one() -> None:
    first, later = progress(), progress(modified="2026-03-02 10:00:00.000000")
    assert event_of("frappe", first).id != event_of("frappe", later).id
    assert event_of("frappe", first).id != event_of("frappe", progress(status="Partially Complete")).id
    assert event_of("frappe", first).id == event_of("frappe", progress(member_name="x", owner="y")).id
    saved = enrollment(modified="2026-03-05 10:00:00.000000", progress=50)
    assert event_of("frappe", enrollment()).id == event_of("frappe", saved).id


def test_long_names_become_hashes() -> None:
    event = event_of("frappe", progress(name="n" * 2000, lesson="l" * 2000, chapter="c" * 2000, course="\ud800" * 9))
    assert event.id.startswith("sha256:")
    assert event.data.lesson.startswith("sha256:")
    assert event.data.topic.startswith("sha256:")


@pytest.mark.parametrize(
    "wrapped", [[progress()], {"data": progress()}, {"data": [progress()]}], ids=["list", "one", "many"]
)
def test_answers_of_the_rest_api(wrapped: object) -> None:
    assert event_of("frappe", wrapped).id == event_of("frappe", progress()).id


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("text", "not_json"),
        (b"\xff", "not_json"),
        (None, "not_an_object"),
        (1, "not_an_object"),
        ({}, "missing_member"),
    ],
)
def test_no_documents(record: object, expected: str) -> None:
    assert outcome("frappe", record) == f"rejected: {expected}"
