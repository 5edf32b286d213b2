"""Another event under a known identity, or another user's enrollment under a known id, is set aside by every way in."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.doors import ANSWERED, EACH_DOOR, Doors, consume
from tests.support.events import at, body, completed, corrected, enrolled, outlined, viewed
from tests.support.tables import insert_as_lms, rows, snapshot
from worker.audit.void import void_event
from worker.consume.consumer import Consumer
from worker.contract.event import CloudEvent

any_door = pytest.mark.parametrize("door", EACH_DOOR)
ID = "0198a1b2-c3d4-7e5f-8a9b-000000000001"
OTHERS: dict[str, tuple[CloudEvent, CloudEvent]] = {
    "another lesson": (viewed(1, 1, 1, id=ID), viewed(1, 1, 2, id=ID)),
    "another deed": (viewed(1, 1, 1, id=ID), completed(1, 1, 1, id=ID)),
    "another time": (viewed(1, 1, 1, id=ID), viewed(1, 1, 1, id=ID, seconds=1)),
    "another section": (viewed(1, 1, 1, id=ID, section_id=1), viewed(1, 1, 1, id=ID, section_id=2)),
    "another duration": (viewed(1, 1, 1, id=ID, duration_seconds=1), viewed(1, 1, 1, id=ID)),
    "another sequence": (viewed(1, 1, 1, id=ID, sequence=1), viewed(1, 1, 1, id=ID, sequence=2)),
    "a correction": (corrected(id=ID), corrected(id=ID, status="in_progress")),
    "another outline": (outlined(3, [(1, 1)], id=ID), outlined(3, [(1, 2)], id=ID)),
    "another title": (outlined(3, [(1, 1, "One")], id=ID), outlined(3, [(1, 1, "Two")], id=ID)),
    "another outline's time": (outlined(3, [(1, 1)], id=ID), outlined(3, [(1, 1)], id=ID, seconds=1)),
    "another outline's sequence": (outlined(3, id=ID, sequence=1), outlined(3, id=ID, sequence=2)),
    "another time of enrolling": (enrolled(2, id=ID), enrolled(2, id=ID, seconds=1)),
    "another sequence of enrolling": (enrolled(2, id=ID, sequence=1), enrolled(2, id=ID, sequence=2)),
    "another course": (enrolled(2, id=ID), enrolled(2, course_id=4, id=ID)),
    "another zone": (enrolled(2, id=ID), enrolled(2, timezone="Asia/Tokyo", id=ID)),
}


@any_door
@pytest.mark.parametrize("ways", ["in one batch", "one after the other"])
def test_another_event_under_a_known_identity_is_set_aside(doors: Doors, engine: Engine, door: str, ways: str) -> None:
    for number, (name, pair) in enumerate(OTHERS.items()):
        key = 10 * number + 10
        first, other = (
            each.model_copy(update={"data": each.data.model_copy(update=_moved(each, key))})  # type: ignore[attr-defined]
            for each in pair
        )
        send = getattr(doors, door)
        if not name.startswith("another outline"):
            send([body(enrolled(key))])
        sent = [body(each) for each in (first, other, first)]
        found = send(sent) if ways == "in one batch" else [send([each])[0] for each in sent]
        assert found[1] == "identity_conflict", name
        if door in ANSWERED:
            assert (found[0], found[2]) == ("applied", "repeated"), name
    assert rows(engine, "SELECT DISTINCT reason FROM dead_letter") == (
        [] if door in ANSWERED else [("identity_conflict",)]
    )
    if door not in ANSWERED:
        assert rows(engine, "SELECT count(*) FROM dead_letter") == [(len(OTHERS),)]


def _moved(event: CloudEvent, key: int) -> dict[str, Any]:
    """Each pair has an enrollment or a course of its own."""
    if event.type == "course.outlined":  # type: ignore[attr-defined]
        return {"course_id": key}
    return {"user_course_id": key + 1 if event.type == "enrollment.created" else key}  # type: ignore[attr-defined]


@any_door
def test_a_voided_event_has_its_identity_still(doors: Doors, engine: Engine, door: str) -> None:
    send = getattr(doors, door)
    send([body(enrolled()), body(viewed(id=ID)), body(corrected(1, 1, 2, id=ID[:-1] + "2"))])
    for each in (ID, ID[:-1] + "2"):
        void_event(engine, each, 1, 10)
    before = snapshot(engine, but=["dead_letter", "activity_change"])
    sent = [
        viewed(id=ID),
        completed(id=ID),
        corrected(1, 1, 2, id=ID[:-1] + "2"),
        corrected(1, 1, 2, id=ID[:-1] + "2", status="completed"),
    ]
    found = send([body(each) for each in sent])
    assert [found[1], found[3]] == ["identity_conflict"] * 2
    assert {found[0], found[2]} == ({"repeated"} if door in ANSWERED else {"applied"})
    assert snapshot(engine, but=["dead_letter", "activity_change"]) == before


@any_door
@pytest.mark.parametrize("by", ["an event", "the LMS"])
def test_an_enrollment_of_another_user_is_set_aside_and_a_change_of_course_is_not(
    doors: Doors, engine: Engine, door: str, by: str
) -> None:
    send = getattr(doors, door)
    if by == "the LMS":
        insert_as_lms(engine, 1, user_id=7, course_id=3)
    known: list[CloudEvent] = [enrolled(1, user_id=7)] if by == "an event" else []
    send([body(each) for each in [*known, completed(1, 1, 1)]])
    other = enrolled(1, user_id=99, course_id=5, seconds=60)
    assert send([body(other)]) == ["enrollment_conflict"]
    assert rows(engine, "SELECT user_id, course_id FROM user_course") == [(7, 3)]
    both = [enrolled(2, user_id=7), enrolled(2, user_id=99, course_id=5, seconds=60), viewed(2)]
    assert send([body(each) for each in both]) == ["applied", "enrollment_conflict", "applied"]
    assert rows(engine, "SELECT user_id, course_id FROM user_course WHERE id = 2") == [(7, 3)]
    send([body(enrolled(1, user_id=7, course_id=5, seconds=90))])
    expected = (7, 5) if by == "an event" else (7, 3)
    assert rows(engine, "SELECT user_id, course_id FROM user_course WHERE id = 1") == [expected]
    assert rows(engine, "SELECT count(*) FROM user_course_progress WHERE user_course_id = 1") == [(1,)]


def post(api: httpx.Client, path: str, members: Mapping[str, Any], **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.post(f"/progress/1/1/{path}", json=members, headers={"Idempotency-Key": ID, **named}).status_code


def test_a_request_that_is_sent_again_is_the_same_event_and_another_one_a_conflict(
    open_api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    """Waiting or not, with a time or without: one that the server made up says nothing."""
    insert_as_lms(engine, 1)
    letters = "SELECT reason, count(*) FROM dead_letter GROUP BY 1"
    for prefer in ("respond-async", "", "respond-async"):
        assert post(open_api, "1/view", {"section_id": 2}, Prefer=prefer) == (202 if prefer else 200)
        consume(consumer)
    assert rows(engine, "SELECT topic_id, lesson_id, section_id FROM lesson_event") == [(1, 1, 2)]
    assert rows(engine, letters) == []
    others: list[tuple[str, dict[str, Any]]] = [
        ("1/view", {"section_id": 3}),
        ("1/complete", {"section_id": 2}),
        ("2/view", {"section_id": 2}),
        ("1/view", {"section_id": 2, "occurred_at": at(0).isoformat()}),
    ]
    for number, (path, members) in enumerate(others, 1):
        assert post(open_api, path, members) == 409
        assert post(open_api, path, members, Prefer="respond-async") == 202
        consume(consumer)
        assert rows(engine, letters) == [("identity_conflict", number)]
    (event_id,) = rows(engine, "SELECT event_id::text FROM lesson_event")[0]
    void_event(engine, event_id, 1, 10)
    assert post(open_api, "1/view", {"section_id": 2}) == 200
    assert post(open_api, "1/complete", {"section_id": 2}) == 409
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
