"""What the fast path decodes, the contract's parser takes as the very same event; and it decodes the ordinary ones."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.test_any_bytes import HOSTILE, bent
from tests.support.events import (
    ENTRY_MILLISECONDS,
    body,
    completed,
    corrected,
    enrolled,
    outlined,
    reopened,
    viewed,
)
from tests.support.named import named_completed, named_enrolled, named_outlined, named_reopened, named_viewed
from worker.contract.entry import Entry
from worker.contract.event import CloudEvent, Event, partition_key
from worker.contract.fast_path import DecodedLessonEvent, DecodedNamedEvent, decode
from worker.contract.identity import identity
from worker.contract.named_event import (
    NamedEvent,
    NamedLessonCompleted,
    NamedLessonViewed,
    partition_key_of,
)
from worker.contract.parse import parse_entry

MEMBERS = ("specversion", "id", "source", "time", "type", "sequence", "untimed")
DATA = ("user_course_id", "topic_id", "lesson_id", "section_id", "duration_seconds")
NAMES = ("learner", "lesson", "course", "topic", "duration_seconds", "enrols")
DIGITS_ESCAPED = [r".999999\u0039", r".12345\u0036\u0037", r"\u002e9999999", r"\u002E9999999"]
ENROLLMENT = '"user_course_id":1'

SEEDS: list[CloudEvent] = [
    viewed(section_id=2, duration_seconds=3),
    completed(source="/möodle"),
    named_viewed(topic="t", duration_seconds=3, enrols=False),
    named_completed(learner="Ünï"),
]

names = st.text(max_size=4) | st.sampled_from(["x" * 1_024, "x" * 1_025, "ü" * 512, "ü" * 513, "\ud800", "\0", "7"])
times = st.one_of(
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.from_regex(
        r"(1979|1980|2025|2029|9998|9999)-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-6]\d(:[0-6]\d)?(\.\d{0,9})?", fullmatch=True
    ).flatmap(
        lambda time: st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+0530", ""]).map(time.__add__)
    ),
    st.sampled_from(["1700000000", "1700000000.5", "2025-07-14", "2025-07-14T24:00:00Z", "2025-W29-1T10:30:00Z"]),
)
numbers = st.sampled_from(
    ["0", "-1", "1", "1.0", "1e0", "01", "86400", "86401", "2147483647", "2147483648", "true", '"1"', "null"]
) | st.integers(2**63 - 2, 2**63 + 1).map(str)


def described(event: Event | NamedEvent | DecodedLessonEvent | DecodedNamedEvent, data: tuple[str, ...]) -> Any:
    """Every member that is recorded or decides about recording."""
    return (
        {name: getattr(event, name) for name in MEMBERS}
        | {name: getattr(event.data, name) for name in data}
        | {"event_id": getattr(event, "event_id", identity(event.source, event.id)), "offset": event.time.utcoffset()}
    )


def decoded_alike(content: bytes, milliseconds: int = ENTRY_MILLISECONDS) -> bool:
    """Whether the fast path decodes it; if so, exactly as the contract does."""
    entry = Entry("s", f"{milliseconds}-0", content)
    event = decode(entry)
    if isinstance(event, DecodedNamedEvent):
        parsed = parse_entry(entry)
        assert isinstance(parsed, NamedLessonViewed | NamedLessonCompleted)
        assert described(event, NAMES) == described(parsed, NAMES)
        assert partition_key_of(event) == partition_key_of(parsed) == partition_key(vars(parsed.data))
    elif event is not None:
        assert described(event, DATA) == described(parse_entry(entry), DATA)
    return event is not None


@pytest.mark.parametrize(
    "event",
    [
        viewed(),
        completed(section_id=2, duration_seconds=3),
        viewed(id="Ünï", source="/möodle"),
        viewed(id="0198A1B2-0000-7000-8000-00000000ABCD"),
        named_viewed(),
        named_completed(learner="Ünï", topic="a/b", duration_seconds=3, enrols=False),
        named_viewed(course=None, lesson="x" * 1_024, source="möodle"),
    ],
)
def test_ordinary_lesson_events_are_decoded(event: Event | NamedEvent) -> None:
    assert decoded_alike(body(event))
    extended = json.loads(body(event)) | {"datacontenttype": "application/json", "subject": "x", "dataschema": None}
    assert decoded_alike(json.dumps(extended).encode())
    for more in ({"sequence": 7}, {"sequence": "0007"}, {"sequence": None}, {"untimed": True}):
        assert decoded_alike(json.dumps(extended | more).encode())


@pytest.mark.parametrize(
    "event",
    [
        enrolled(),
        outlined(),
        corrected(),
        reopened(),
        named_reopened(),
        named_enrolled(),
        named_outlined(),
    ],
)
def test_other_events_are_left_to_the_contract(event: Event | NamedEvent) -> None:
    assert not decoded_alike(body(event))


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2025-07-14T10:30:00.1234567Z"},
        {"time": "2025-07-14T10:30:00.9999999Z"},
        {"time": "2025-07-14T10:30:00+02:00"},
        {"time": "1979-12-31T23:59:59Z"},
        {"extension": [1]},
        {"id": ""},
        {"id": "0" * 32},
        {"id": "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"},
        {"sequence": -1},
        {"sequence": "\x7f"},
        {"untimed": 1},
    ],
)
def test_what_is_not_ordinary_is_left_to_the_contract(change: dict[str, object]) -> None:
    assert not decoded_alike(json.dumps(json.loads(body(viewed())) | change).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"learner": ""},
        {"learner": "x" * 1_025},
        {"lesson": "ü" * 513},
        {"course": "a\0b"},
        {"topic": ""},
        {"enrols": None},
        {"enrols": 1},
        {"learner": 7},
        {"user_course_id": 1},
        {"lesson": "\ud800"},
    ],
)
def test_names_that_are_not_ordinary_are_left_to_the_contract(change: dict[str, object]) -> None:
    event = json.loads(body(named_viewed()))
    assert not decoded_alike(json.dumps(event | {"data": event["data"] | change}).encode())
    assert not decoded_alike(json.dumps(event | {"source": "x" * 1_025}).encode())


def test_a_time_ahead_of_its_arrival_is_left_to_the_contract() -> None:
    moment = int(viewed().time.timestamp() * 1000)
    assert decoded_alike(body(viewed()), moment - 5 * 60 * 1000)
    assert not decoded_alike(body(viewed()), moment - 5 * 60 * 1000 - 1)


@given(bent())
def test_bent_events(content: bytes) -> None:
    decoded_alike(content)


@given(st.binary(max_size=200) | st.sampled_from(list(HOSTILE.values())))
@example(body(viewed()) + b" ")
@example(body(viewed()) + b"x")
@example(b"\xef\xbb\xbf" + body(viewed()))
@example(body(viewed()).replace(b"/test", b"/\xff"))
@example(body(viewed()).replace(b"/test", b"/\\ud800"))
@example(body(viewed()).replace(b"/test", b"/\x01"))
def test_any_bytes(content: bytes) -> None:
    decoded_alike(content)


@pytest.mark.parametrize("time", DIGITS_ESCAPED)
def test_escaped_digits(time: str) -> None:
    assert not decoded_alike(body(viewed()).replace(b"2025-07-14T10:30:00", b"2025-07-14T10:30:00" + time.encode()))


@given(st.data())
def test_a_byte_more_less_or_other(data: st.DataObject) -> None:
    content = body(data.draw(st.sampled_from(SEEDS)))
    at = data.draw(st.integers(0, len(content)))
    inserted = data.draw(st.binary(max_size=2))
    decoded_alike(content[:at] + inserted + content[at + data.draw(st.integers(0, 2)) :])


@given(times)
@example("2025-07-14T10:30:00.999999999Z")
@example("2025-07-14t10:30:00z")
@example("2025-07-14 10:30:00Z")
def test_times(time: str) -> None:
    decoded_alike(json.dumps(json.loads(body(viewed())) | {"time": time}).encode())


@given(st.dictionaries(st.sampled_from(["learner", "lesson", "course", "topic"]), names), names, st.booleans())
def test_names(data: dict[str, str], source: str, escaped: bool) -> None:
    event = json.loads(body(named_viewed()))
    event |= {"source": source, "data": event["data"] | data}
    content = json.dumps(event, ensure_ascii=escaped, separators=(",", ":"))
    decoded_alike(content.encode(errors="surrogatepass"))


@given(st.sampled_from(["learner", "user_course_id", "lesson", "\\u006cearner"]), st.sampled_from(['"x"', "1", "null"]))
def test_a_member_twice_or_of_the_other_form(name: str, value: str) -> None:
    content = body(named_viewed())
    decoded_alike(content.replace(b'"data":{', f'"data":{{"{name}":{value},'.encode()))
    decoded_alike(content.replace(b"}}", f',"{name}":{value}}}}}'.encode()))


@given(st.sampled_from(DATA), numbers)
def test_numbers(name: str, number: str) -> None:
    content = json.dumps(json.loads(body(viewed(section_id=1, duration_seconds=1))), separators=(",", ":"))
    decoded_alike(content.replace(f'"{name}":1', f'"{name}":{number}', 1).encode())


@given(
    st.sampled_from(
        [
            ENROLLMENT,
            f"{ENROLLMENT},{ENROLLMENT}",
            '"user_course_id":"x","user_course_id":1',
            f'{ENROLLMENT},"user_course_id":2',
        ]
    )
)
def test_repeated_members(members: str) -> None:
    decoded_alike(body(viewed()).replace(ENROLLMENT.encode(), members.encode()))
