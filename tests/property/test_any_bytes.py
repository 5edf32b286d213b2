"""Whatever the bytes: an event or a rejection, and what was let in can always be recorded."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import (
    as_json,
    at,
    body,
    completed,
    corrected,
    enrolled,
    entry,
    outlined,
    reopened,
    viewed,
)
from tests.support.named import named_completed, named_enrolled, named_outlined, named_reopened, named_viewed
from tests.support.tables import TABLES, clear, rows
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import EVENT_TYPES, CloudEvent
from worker.contract.named_event import NAMED_EVENT_TYPES
from worker.contract.parse import parse_entry
from worker.progress.ingest import ingest

SEEDS: list[CloudEvent] = [
    viewed(section_id=2, duration_seconds=3),
    completed(),
    corrected(status="completed", last_viewed_at=at(1), completed_at=at(1)),
    reopened(),
    named_viewed(topic="t", duration_seconds=3, enrols=False),
    named_completed(course=None),
    named_reopened(),
    named_enrolled(timezone="Europe/Berlin"),
    named_outlined(lessons=["l2", {"lesson": "l1", "topic": "t", "title": "One", "aliases": ["l3"]}]),
    enrolled(timezone="Europe/Berlin"),
    outlined(lessons=[(1, 2, "One"), (2, 1)]),
]
HOSTILE = {
    "empty": b"",
    "nul": b"\x00",
    "null": b"null",
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 100_000,
    "digits": b"1" * 10_000,
    "utf16": b"\xff\xfe{",
    "byte-order-mark": b"\xef\xbb\xbf" + body(viewed()),
    "deep-data": b'{"type":"lesson.viewed","data":' + b"[" * 60_000,
    "surrogate": b'"\\ud800"',
    "surrogate-source": body(viewed()).replace(b'"source":"/test"', b'"source":"\\udfff"'),
    "nul-source": body(viewed()).replace(b'"source":"/test"', b'"source":"\\u0000"'),
    "5000-digits": body(viewed()).replace(b'"user_course_id":1', b'"user_course_id":' + b"9" * 5_000),
    "1e400": body(viewed()).replace(b'"user_course_id":1', b'"user_course_id":1e400'),
    "nan": body(viewed()).replace(b'"user_course_id":1', b'"user_course_id":NaN'),
    "leap-second": body(viewed()).replace(b"2025-07-14T10:30:00", b"2025-07-14T23:59:60"),
}
words = st.text(max_size=20) | st.sampled_from(
    [
        "\x00",
        "\U0010ffff",
        "\u202e",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2025-07-14T10:30:00+18:00",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3))


VERDICTS = {Rejection, *EVENT_TYPES, *NAMED_EVENT_TYPES}


def verdict(content: bytes | None, milliseconds: int = 1_900_000_000_000) -> type:
    try:
        return type(parse_entry(Entry("s", f"{milliseconds}-0", content)))
    except Rejection as raised:
        rejection = raised
    assert isinstance(rejection.reason, Reason)
    assert rejection.detail.isprintable()
    return Rejection


def paths(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(path for key, each in inner for path in paths(each, (*place, key)))]


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A valid event with up to three places removed or replaced by any value."""
    event = json.loads(body(draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(event)))
        if not path:
            continue
        holder = event
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(values)
        else:
            del holder[path[-1]]
    return json.dumps(event, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_get_a_verdict(content: bytes) -> None:
    assert verdict(content) in VERDICTS


@given(content=st.binary(max_size=200) | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_get_a_verdict(content: bytes) -> None:
    assert verdict(content) is Rejection


@given(seed=st.sampled_from(SEEDS), place=st.floats(0, 1), patch=st.binary(max_size=4), length=st.integers(0, 4))
def test_an_event_with_bytes_overwritten_gets_a_verdict(seed: Any, place: float, patch: bytes, length: int) -> None:
    whole = body(seed)
    start = int(place * len(whole))
    assert verdict(whole[:start] + patch + whole[start + length :]) in {Rejection, type(seed)}


@settings(max_examples=300)
@given(content=bent(), milliseconds=st.sampled_from([0, 1_900_000_000_000, 2**64 - 1]))
def test_an_event_bent_anywhere_gets_a_verdict(content: bytes, milliseconds: int) -> None:
    assert verdict(content, milliseconds) in VERDICTS


@given(contents=st.lists(bent(), min_size=1, max_size=8), milliseconds=st.sampled_from([1_900_000_000_000, 2**64 - 1]))
def test_every_entry_is_recorded_whatever_its_bytes(engine: Engine, contents: list[bytes], milliseconds: int) -> None:
    clear(engine)
    delivered = [Entry("s", f"{milliseconds}-{number}", content) for number, content in enumerate(contents)]
    outcome = ingest(engine, [entry(enrolled()), *delivered])
    assert outcome.applied + outcome.repeated + len(outcome.dead_letters) == len(delivered) + 1
    assert not [letter for letter in outcome.dead_letters if letter.reason is Reason.DATA_ERROR]
    stored = {entry_id: bytes(kept) for entry_id, kept in rows(engine, "SELECT entry_id, body FROM dead_letter")}
    assert stored == {letter.entry.id: letter.entry.body for letter in outcome.dead_letters}


letters = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
int64 = st.sampled_from([1, 2**31, 2**63 - 1])
int32 = st.sampled_from([1, 2**31 - 1])
offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(
    lambda minutes: f"{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
)
clocks = st.sampled_from(
    ["2000-01-02T00:00:00", "2025-07-14T10:30:00.123456", "2030-03-01T00:00:00.1", "9999-12-31T23:59:59"]
)
times = st.builds("{}{}".format, clocks, offsets)
snapshot_times = st.none() | st.builds(
    "{}{}".format, clocks | st.sampled_from(["0001-01-01T00:00:00", "1899-12-31T23:59:59"]), offsets
)
lesson = {"user_course_id": int64, "topic_id": int32, "lesson_id": int32}
activity = {**lesson, "section_id": int32, "duration_seconds": st.sampled_from([0, 86_400])}
snapshot = {"status": st.just("completed"), "last_viewed_at": snapshot_times, "completed_at": snapshot_times}
enrollment = {"user_course_id": int64, "user_id": int64, "course_id": int64, "timezone": letters}
outline = {
    "course_id": int64,
    "lessons": st.lists(st.fixed_dictionaries({"topic_id": int32, "lesson_id": int32, "title": letters}), max_size=2),
}
data: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "lesson.viewed": activity,
    "lesson.completed": activity,
    "lesson.reopened": lesson,
    "progress.corrected": {**lesson, **snapshot},
    "enrollment.created": enrollment,
    "course.outlined": outline,
}
extremes = st.sampled_from(sorted(data)).flatmap(
    lambda kind: st.fixed_dictionaries(
        {
            "specversion": st.just("1.0"),
            "id": letters,
            "source": letters,
            "type": st.just(kind),
            "time": times,
            "data": st.fixed_dictionaries(data[kind]),
        }
    )
)
far_snapshot = as_json(corrected())
far_snapshot["data"]["last_viewed_at"] = "9999-12-31T23:59:59-14:00"


@given(events=st.lists(extremes, min_size=1, max_size=6), milliseconds=st.sampled_from([1_900_000_000_000, 2**64 - 1]))
@example(events=[as_json(viewed()) | {"time": "2025-07-14T10:30:00+18:00"}], milliseconds=1_900_000_000_000)
@example(events=[far_snapshot], milliseconds=1_900_000_000_000)
def test_whatever_the_contract_lets_in_postgresql_takes_and_gives_back(
    engine: Engine, events: list[dict[str, Any]], milliseconds: int
) -> None:
    clear(engine)
    known = [entry(enrolled(number, time="2000-01-01T00:00:00Z")) for number in (1, 2**31, 2**63 - 1)]
    contents = [json.dumps(event).encode() for event in events]
    delivered = [Entry("s", f"{milliseconds}-{number}", content) for number, content in enumerate(contents)]
    outcome = ingest(engine, known + delivered)
    assert [letter.detail for letter in outcome.dead_letters if letter.reason is Reason.DATA_ERROR] == []
    for table in TABLES:
        rows(engine, f"SELECT * FROM {table}")
