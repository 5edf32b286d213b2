"""The verdict on one stream entry: an event, or a rejection with its reason."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.support.events import as_json, at, body, completed, corrected, enrolled, entry, outlined, viewed
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import CloudEvent
from worker.contract.parse import parse_entry

KILOBYTE = 1024
NOW = 1_752_489_000_000
"""START in milliseconds."""


def rejection(content: Any, **changes: Any) -> Rejection:
    """The rejection of an entry with this content."""
    with pytest.raises(Rejection) as caught:
        parse_entry(entry(content | changes if isinstance(content, dict) else content))
    return caught.value


def padded(event: CloudEvent, size: int) -> bytes:
    """The event as JSON of exactly this size."""
    return body(event).ljust(size)


@pytest.mark.parametrize(
    ("entry_id", "arrival"),
    [
        ("0-1", 1),
        ("1-0", 2**20),
        ("1752489000000-7", NOW << 20 | 7),
        ("1752489000000", NOW << 20),
        (f"{2**64 - 1}-{2**64 - 1}", 2**62 - 1),
        *((strange, 0) for strange in ("", "-", "x", "x-y", "by hand", "0198a1b2-c3d4-7e5f")),
    ],
)
def test_an_entrys_arrival_is_its_id_as_a_number_and_0_for_other_ids(entry_id: str, arrival: int) -> None:
    assert Entry("s", entry_id, b"").arrival == arrival


@pytest.mark.parametrize("event", [viewed(), completed(), corrected(), enrolled(), outlined(lessons=[(1, 2, "A")])])
def test_what_a_publisher_sent_is_what_is_read(event: CloudEvent) -> None:
    assert parse_entry(entry(event)) == event


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (None, Reason.MISSING_FIELD, "no field named event"),
        (b"", Reason.INVALID_JSON, "EOF"),
        (b"{", Reason.INVALID_JSON, "EOF"),
        (b"\xff", Reason.INVALID_JSON, ""),
        (b"7", Reason.INVALID_EVENT, ""),
        (b"{}", Reason.INVALID_EVENT, "type"),
        (as_json(viewed()) | {"type": "lesson.opened"}, Reason.UNKNOWN_TYPE, "lesson.opened"),
        (as_json(viewed()) | {"data": {}}, Reason.INVALID_EVENT, "data.user_course_id"),
        (as_json(viewed()) | {"data": [1]}, Reason.INVALID_EVENT, "data"),
        (as_json(viewed()) | {"time": "1979-01-01T00:00:00Z"}, Reason.TIME_OUT_OF_RANGE, "time"),
        (as_json(viewed()) | {"time": "yesterday"}, Reason.INVALID_EVENT, "time"),
    ],
)
def test_a_rejection_names_its_reason_and_the_place(content: Any, reason: Reason, words: str) -> None:
    rejected = rejection(content)
    assert rejected.reason is reason
    assert words in rejected.detail


LESSON = {"lesson": "l1", "course": "c1"}


@pytest.mark.parametrize("kind", ["lesson.viewed", "lesson.completed", "lesson.reopened", "enrollment.created"])
@pytest.mark.parametrize("data", [LESSON, {"course": "c1"}, {"lesson": "l1"}, {**LESSON, "lesson_id": 1}], ids=str)
def test_who_leaves_out_the_learner_is_told_so(kind: str, data: dict[str, Any]) -> None:
    rejected = rejection(as_json(viewed()), type=kind, data=data)
    assert rejected.reason is Reason.INVALID_EVENT
    assert "learner" in rejected.detail


@pytest.mark.parametrize("data", [{"learner": "ann", **LESSON}, LESSON], ids=str)
def test_who_corrects_by_name_is_told_to_send_numbers(data: dict[str, Any]) -> None:
    rejected = rejection(as_json(corrected()), data=data)
    assert rejected.reason is Reason.INVALID_EVENT
    expected = "progress.corrected has no form with names: send user_course_id, topic_id, lesson_id"
    assert rejected.detail == expected


def test_the_data_of_a_rejected_record_may_have_any_members() -> None:
    data = {"format": "csv", "reason": "no_learner", "detail": "It has none", "record": {}, "learner": "ann", **LESSON}
    rejected = rejection(as_json(viewed()), type="record.rejected", data=data)
    assert (rejected.reason, rejected.detail) == (Reason.NOT_TRANSLATED, "csv: no_learner: It has none")


@pytest.mark.parametrize("event", [viewed(), completed(), corrected(), enrolled()], ids=lambda event: event.type)
def test_an_event_with_numbers_may_have_other_members_called_course_and_lesson(event: CloudEvent) -> None:
    content = as_json(event)
    content["data"] |= LESSON
    assert parse_entry(entry(content)) == event


@pytest.mark.parametrize("event", [viewed(), completed(), corrected(), enrolled()], ids=lambda event: event.type)
def test_an_event_may_have_65_536_characters_and_not_one_more(event: CloudEvent) -> None:
    assert parse_entry(entry(padded(event, 64 * KILOBYTE))) == event
    rejected = rejection(padded(event, 64 * KILOBYTE + 1))
    assert rejected.reason is Reason.TOO_LARGE
    assert "65537 characters" in rejected.detail


@pytest.mark.parametrize("character", ["é", "中", "\U0001f680", '"', "\\", "\n"], ids=ascii)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_character_counts_once_however_it_is_written(character: str, is_ascii: bool) -> None:
    content = as_json(viewed()) | {"note": ""}
    room = 64 * KILOBYTE - len(json.dumps(content))
    for note, fits in ((character * room, True), (character * (room + 1), False)):
        written = entry(json.dumps(content | {"note": note}, ensure_ascii=is_ascii).encode())
        if fits:
            parse_entry(written)
        else:
            with pytest.raises(Rejection, match="65537 characters"):
                parse_entry(written)


def test_an_outline_may_have_1_048_576_characters_and_not_one_more() -> None:
    outline = outlined(lessons=[(topic, lesson, "x" * 20) for topic in range(1, 101) for lesson in range(1, 101)])
    assert 64 * KILOBYTE < len(body(outline)) < KILOBYTE**2
    assert parse_entry(entry(padded(outline, KILOBYTE**2))) == outline
    assert rejection(padded(outline, KILOBYTE**2 + 1)).reason is Reason.TOO_LARGE


def test_a_time_may_be_five_minutes_ahead_of_the_entry_and_not_a_microsecond_more() -> None:
    early = Entry("s", f"{NOW}-0", body(viewed(seconds=300)))
    assert parse_entry(early).time == at(300)
    late = Entry("s", f"{NOW}-0", body(viewed(time=at(300) + timedelta(microseconds=1))))
    with pytest.raises(Rejection) as caught:
        parse_entry(late)
    assert caught.value.reason is Reason.TIME_OUT_OF_RANGE


def test_a_time_may_be_ahead_of_the_entry_but_not_of_the_clock_of_whoever_judges_too() -> None:
    early = Entry("s", f"{NOW - 600_000}-0", body(viewed()))
    assert parse_entry(early, NOW - 300_000).time == at(0)
    with pytest.raises(Rejection) as caught:
        parse_entry(early, NOW - 300_001)
    assert caught.value.reason is Reason.TIME_OUT_OF_RANGE


def test_a_byte_order_mark_before_the_event_says_nothing() -> None:
    assert parse_entry(entry(b"\xef\xbb\xbf" + body(viewed(id="a")))) == viewed(id="a")
    assert rejection(b"\xef\xbb\xbf").reason is Reason.INVALID_JSON


def test_the_verdict_on_a_time_is_the_entrys_own_whatever_the_hour() -> None:
    event = body(viewed(time="2130-01-01T00:00:00Z"))
    far_future = 5_049_200_000_000
    assert parse_entry(Entry("s", f"{far_future}-5", event)).time.year == 2130
    with pytest.raises(Rejection):
        parse_entry(Entry("s", f"{NOW}-5", event))


def test_a_detail_is_short_and_printable() -> None:
    rejected = rejection(as_json(viewed()), type="\x00\x1b[2J\u202e" * 500)
    assert len(rejected.detail) <= 500
    assert rejected.detail.isprintable()


def test_the_same_entry_always_gets_the_same_verdict() -> None:
    bad = entry(json.dumps(as_json(viewed()) | {"data": {"user_course_id": 0}}).encode())
    verdicts = []
    for _ in range(2):
        with pytest.raises(Rejection) as caught:
            parse_entry(bad)
        verdicts.append((caught.value.reason, caught.value.detail))
    assert verdicts[0] == verdicts[1]
