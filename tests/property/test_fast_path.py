"""What the fast path decodes, the contract's parser takes as the very same event; and it decodes the ordinary ones."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.test_any_bytes import HOSTILE, bent
from tests.support.events import ENTRY_MILLISECONDS, body, completed, corrected, enrolled, outlined, viewed
from worker.contract.entry import Entry
from worker.contract.event import Event
from worker.contract.fast_path import DecodedLessonEvent, decode
from worker.contract.parse import parse_entry

MEMBERS = ("specversion", "id", "source", "time", "type", "sequence", "untimed")
DATA = ("user_course_id", "topic_id", "lesson_id", "section_id", "duration_seconds")
DIGITS_ESCAPED = [r".999999\u0039", r".12345\u0036\u0037", r"\u002e9999999", r"\u002E9999999"]
ENROLLMENT = '"user_course_id":1'

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


def described(event: Event | DecodedLessonEvent) -> dict[str, Any]:
    """Every member that is recorded or decides about recording."""
    return (
        {name: getattr(event, name) for name in MEMBERS}
        | {name: getattr(event.data, name) for name in DATA}
        | {"event_id": event.event_id, "offset": event.time.utcoffset()}
    )


def decoded_alike(content: bytes, milliseconds: int = ENTRY_MILLISECONDS) -> bool:
    """Whether the fast path decodes it; if so, exactly as the contract does."""
    entry = Entry("s", f"{milliseconds}-0", content)
    event = decode(entry)
    if event is not None:
        assert described(event) == described(parse_entry(entry))
    return event is not None


@pytest.mark.parametrize(
    "event",
    [
        viewed(),
        completed(section_id=2, duration_seconds=3),
        viewed(id="Ünï", source="/möodle"),
        viewed(id="0198A1B2-0000-7000-8000-00000000ABCD"),
    ],
)
def test_ordinary_lesson_events_are_decoded(event: Event) -> None:
    assert decoded_alike(body(event))
    extended = json.loads(body(event)) | {"datacontenttype": "application/json", "subject": "x", "dataschema": None}
    assert decoded_alike(json.dumps(extended).encode())
    for more in ({"sequence": 7}, {"sequence": "0007"}, {"sequence": None}, {"untimed": True}):
        assert decoded_alike(json.dumps(extended | more).encode())


@pytest.mark.parametrize("event", [enrolled(), outlined(), corrected()])
def test_other_events_are_left_to_the_contract(event: Event) -> None:
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
    content = body(data.draw(st.sampled_from([viewed(section_id=2, duration_seconds=3), completed(source="/möodle")])))
    at = data.draw(st.integers(0, len(content)))
    inserted = data.draw(st.binary(max_size=2))
    decoded_alike(content[:at] + inserted + content[at + data.draw(st.integers(0, 2)) :])


@given(times)
@example("2025-07-14T10:30:00.999999999Z")
@example("2025-07-14t10:30:00z")
@example("2025-07-14 10:30:00Z")
def test_times(time: str) -> None:
    decoded_alike(json.dumps(json.loads(body(viewed())) | {"time": time}).encode())


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
