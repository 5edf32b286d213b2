"""The contract's limits, each from both sides."""

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from pydantic import ValidationError

from tests.support.events import as_json, at, completed, corrected, enrolled, outlined, viewed
from worker.contract.event import EVENT, EVENT_TYPES, CloudEvent, partition_key

SMALL, LARGE = 2**31 - 1, 2**63 - 1
EXAMPLES: list[CloudEvent] = [
    viewed(section_id=1, duration_seconds=1),
    completed(section_id=1, duration_seconds=1),
    corrected(),
    enrolled(timezone="UTC"),
    outlined(lessons=[(1, 2)]),
]
IDS = [
    (event, name, LARGE if name in {"user_course_id", "user_id", "course_id"} else SMALL)
    for event in EXAMPLES
    for name in as_json(event)["data"]
    if name.endswith("_id") and name != "section_id"
]
NO_DURATIONS: list[object] = [*(-1, -0.5, 86_401, 86_400.5, 1e300, float("inf"), float("nan"), "60", True, [1], {})]
NO_SECTIONS: list[object] = [*(0, -1, SMALL + 1, True, "1", 1.0, [1], {})]
id_limits = pytest.mark.parametrize(
    ("event", "name", "largest"),
    IDS,
    ids=[f"{event.type} {name}" for event, name, _ in IDS],  # type: ignore[attr-defined]
)


def taken(event: CloudEvent | dict[str, Any], **data: object) -> bool:
    """Whether the contract takes the event with these data members."""
    content = event if isinstance(event, dict) else as_json(event)
    try:
        EVENT.validate_python({**content, "data": {**content["data"], **data}})
    except ValidationError:
        return False
    return True


def told(event: CloudEvent, **data: object) -> tuple[Any, list[str]]:
    """What the contract reads in the event with these data members, and what it drops."""
    content, dropped = as_json(event), list[str]()
    found = EVENT.validate_python({**content, "data": {**content["data"], **data}}, context={"dropped": dropped})
    return found.data, dropped


def taken_with(**envelope: object) -> bool:
    """Whether the contract takes a view with these members."""
    return taken({**as_json(viewed()), **envelope})


def without(event: CloudEvent, name: str) -> dict[str, Any]:
    content = as_json(event)
    del content["data"][name]
    return content


@id_limits
def test_ids_reach_from_one_to_their_largest(event: CloudEvent, name: str, largest: int) -> None:
    assert taken(event, **{name: 1})
    assert taken(event, **{name: largest})
    assert not taken(event, **{name: 0})
    assert not taken(event, **{name: -1})
    assert not taken(event, **{name: largest + 1})


@id_limits
@pytest.mark.parametrize("value", [True, "1", 1.0, [1], {}], ids=repr)
def test_ids_are_integers_and_nothing_like_them(event: CloudEvent, name: str, largest: int, value: object) -> None:
    assert taken(event, **{name: min(largest, 1)})
    assert not taken(event, **{name: value})


@pytest.mark.parametrize(
    ("topic_id", "fits"), [(1, True), (SMALL, True), (0, False), (SMALL + 1, False), ("1", False), (True, False)]
)
def test_ids_in_an_outline_have_the_limits_of_any_other(topic_id: object, fits: bool) -> None:
    assert taken(outlined(), lessons=[{"topic_id": topic_id, "lesson_id": 1}]) == fits
    assert taken(outlined(), lessons=[{"topic_id": 1, "lesson_id": topic_id}]) == fits


@pytest.mark.parametrize(
    "name", ["user_course_id", "topic_id", "lesson_id", "status", "last_viewed_at", "completed_at"]
)
def test_every_member_of_a_correction_is_required(name: str) -> None:
    assert taken(corrected())
    assert not taken(without(corrected(), name))


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (viewed(), "user_course_id"),
        (viewed(), "topic_id"),
        (completed(), "lesson_id"),
        (enrolled(), "user_course_id"),
        (enrolled(), "user_id"),
        (enrolled(), "course_id"),
        (outlined(), "course_id"),
        (outlined(), "lessons"),
    ],
)
def test_members_that_say_what_happened_are_required(event: CloudEvent, name: str) -> None:
    assert not taken(without(event, name))


@pytest.mark.parametrize(
    ("event", "name"),
    [(EXAMPLES[0], "section_id"), (EXAMPLES[0], "duration_seconds"), (EXAMPLES[3], "timezone")],
)
def test_members_that_add_detail_may_be_null_or_missing(event: CloudEvent, name: str) -> None:
    assert taken(without(event, name))
    assert taken(event, **{name: None})


@pytest.mark.parametrize(
    ("seconds", "read"), [(0, 0), (86_400, 86_400), (30.0, 30), (12.5, 12), (0.9, 0), (86_400.0, 86_400)]
)
def test_a_duration_is_whole_seconds_up_to_a_day(seconds: float, read: int) -> None:
    data, dropped = told(viewed(), duration_seconds=seconds)
    assert (data.duration_seconds, type(data.duration_seconds), dropped) == (read, int, [])


@pytest.mark.parametrize(
    ("event", "name", "value"),
    [
        *((event, "duration_seconds", value) for event in EXAMPLES[:2] for value in NO_DURATIONS),
        *((event, "section_id", value) for event in EXAMPLES[:2] for value in NO_SECTIONS),
        (enrolled(), "timezone", "UTC\x00"),
        (enrolled(), "timezone", 7),
    ],
)
def test_a_member_that_adds_detail_and_is_not_valid_counts_as_not_sent(
    event: CloudEvent, name: str, value: object
) -> None:
    nothing = told(event, **{name: None})[0]
    assert told(event, **{name: value}) == (nothing, [name])


def test_so_does_a_title_or_an_earlier_place_in_an_outline_and_a_sequence() -> None:
    lesson = {"topic_id": 1, "lesson_id": 2}
    plain = told(outlined(), lessons=[lesson])[0]
    assert told(outlined(), lessons=[{**lesson, "title": "a\x00b"}]) == (plain, ["title"])
    assert told(outlined(), lessons=[{**lesson, "moved_from": [lesson, {"topic_id": "1"}]}]) == (plain, ["moved_from"])
    dropped: list[str] = []
    for sequence in (-1, 1.5, True, "", "\x01", [1]):
        content = as_json(viewed()) | {"sequence": sequence}
        assert EVENT.validate_python(content, context={"dropped": dropped}).sequence is None
    assert dropped == ["sequence"] * 6


@pytest.mark.parametrize("id_", ["0" * 8 + "-0000-0000-0000-" + "0" * 12, "F" * 8 + "-ffff-FFFF-ffff-" + "f" * 12])
def test_the_nil_and_the_max_uuid_are_no_identity(id_: str) -> None:
    assert not taken_with(id=id_)
    assert not taken_with(id=id_.replace("-", ""))
    assert taken_with(id=id_[:-1] + "1")


@pytest.mark.parametrize(
    "time",
    [
        "2025-07-14T10:30:00Z",
        "2025-07-14T10:30:00+00:00",
        "2025-07-14T12:30:00.000+02:00",
        "2025-07-14T10:30:00.000000Z",
    ],
)
def test_a_time_with_an_offset_is_the_same_moment_in_any_notation(time: str) -> None:
    assert EVENT.validate_python(as_json(viewed()) | {"time": time}).time == at(0)


@pytest.mark.parametrize(
    "time",
    [
        "2025-07-14T10:30:00",
        "2025-07-14",
        "10:30:00Z",
        "",
        "now",
        "1752489000",
        1_752_489_000,
        1_752_489_000.5,
        None,
        True,
    ],
    ids=repr,
)
def test_a_time_without_an_offset_or_in_another_form_is_refused(time: object) -> None:
    assert not taken_with(time=time)
    if time is not None:
        assert not taken(corrected(), last_viewed_at=time)


def test_the_year_1980_is_the_earliest() -> None:
    assert taken_with(time="1980-01-01T00:00:00Z")
    assert taken_with(time="1979-12-31T23:00:00-01:00")
    assert not taken_with(time="1979-12-31T23:59:59.999999Z")
    assert not taken_with(time="1980-01-01T00:59:59+01:00")


def test_an_outline_may_be_empty_but_not_repeat_a_lesson() -> None:
    one, other = {"topic_id": 1, "lesson_id": 2}, {"topic_id": 2, "lesson_id": 1}
    assert taken(outlined(), lessons=[])
    assert taken(outlined(), lessons=[one, other])
    assert not taken(outlined(), lessons=[one, other, {**one, "title": "Another title"}])


def test_text_is_free_but_for_the_nul_that_postgresql_cannot_keep() -> None:
    assert taken(enrolled(), timezone="")
    assert taken(enrolled(), timezone="Pacific/Chatham \U0001f680")
    assert told(enrolled(), timezone="UTC\x00")[0].timezone == "UTC"
    assert told(outlined(), lessons=[{"topic_id": 1, "lesson_id": 1, "title": "a\x00b"}])[0].lessons[0].title is None


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_unknown_members_are_ignored(event: CloudEvent) -> None:
    content = as_json(event) | {"subject": "x", "datacontenttype": "application/json", "traceparent": 7}
    content["data"]["new_member"] = {"deep": [1]}
    assert EVENT.validate_python(content) == event


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "data"])
def test_the_envelope_is_complete(name: str) -> None:
    content = as_json(viewed())
    del content[name]
    with pytest.raises(ValidationError):
        EVENT.validate_python(content)
    assert not taken_with(id="")
    assert not taken_with(source="")
    assert not taken_with(id=7)


@pytest.mark.parametrize("version", ["0.3", "1", "1.1", 1.0, None])
def test_only_cloudevents_1_0_is_understood(version: object) -> None:
    assert not taken_with(specversion=version)


@pytest.mark.parametrize("kind", ["lesson.opened", "Lesson.Viewed", "", None, 7])
def test_an_unknown_type_is_refused(kind: object) -> None:
    assert not taken_with(type=kind)


def test_a_uuid_is_the_identity_whatever_its_case_and_source() -> None:
    identity = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    assert viewed(id=identity, source="/a").event_id == identity
    assert viewed(id=identity.upper(), source="/b").event_id == identity


@pytest.mark.parametrize(
    "id_", ["42", "0198a1b2c3d47e5f8a9b0c1d2e3f4a5b", "{0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b}", " ", "ä"]
)
def test_another_id_becomes_a_uuid_of_source_and_id(id_: str) -> None:
    event = viewed(id=id_, source="/moodle")
    assert event.event_id == str(uuid5(uuid5(NAMESPACE_URL, "/moodle"), id_))
    assert event.event_id != viewed(id=id_, source="/other").event_id
    assert event.event_id != viewed(id=id_ + "1", source="/moodle").event_id


def test_there_are_six_event_types() -> None:
    lesson = ["lesson.viewed", "lesson.completed", "lesson.reopened"]
    names = [*lesson, "enrollment.created", "course.outlined", "progress.corrected"]
    assert [kind.model_fields["type"].default for kind in EVENT_TYPES] == names


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"user_course_id": 9, "course_id": 3}, 9),
        ({"course_id": 3}, 3),
        ({"user_course_id": "9"}, None),
        ({}, None),
        (None, None),
        ([9], None),
        ("9", None),
    ],
)
def test_the_partition_follows_the_enrollment_or_the_outlined_course(data: object, key: int | None) -> None:
    assert partition_key(data) == key


@pytest.mark.parametrize("make", [viewed, completed, corrected, enrolled, outlined])
def test_an_event_does_not_change(make: Callable[[], CloudEvent]) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make().source = "/other"  # type: ignore[misc]


def test_an_outline_full_of_mistakes_is_refused_at_the_first() -> None:
    """Each of a megabyte of them would be told otherwise, which takes seconds."""
    with pytest.raises(ValidationError) as refused:
        EVENT.validate_python({**as_json(outlined()), "data": {"course_id": 1, "lessons": [{}] * 1_000}})
    assert len({error["loc"][3] for error in refused.value.errors()}) == 1
