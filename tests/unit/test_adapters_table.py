"""Rows of a table, and of Kolibri's exports, become the events that docs/how-to/import-history.md says."""

import csv
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.formats import FORMATS
from worker.adapters.names import mail_name
from worker.adapters.translation import Translation, translate
from worker.cli.translation_outcomes import outcomes
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedLesson
from worker.contract.value_types import is_name

DATA = Path(__file__).parents[1] / "data" / "lms"
ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
ROW = {"learner": "7", "course": "c", "lesson": "l", "viewed_at": "2024-09-03T08:00:00Z"}
SUMMARY = {
    "Facility name": "Home",
    "Username": "ann",
    "Channel id": "c1",
    "Channel name": "Khan",
    "Content id": "r1",
    "Content title": "Counting",
    "Time of first interaction": "2019-02-05 10:34:11.123456+00:00",
    "Time of last interaction": "2019-02-07 09:00:00+03:00",
    "Time of completion": "2019-02-06 23:00:00+00:00",
    "Time Spent (sec)": "412.0",
    "Progress (0-1)": "1.0000",
    "Content kind": "video",
    "Topic level 1": "Arithmetic",
    "Topic level 2": "Numbers",
}
"""The headers of a summary log, in the order in which Kolibri writes them."""


def translated(record: object, format_name: str = "csv", timezone: str | None = "UTC") -> Translation:
    connection = Connection(name=f"{format_name}-test", timezone=timezone)
    return translate(record, format_name, FORMATS[format_name].translate, connection, ARRIVED)


def said(record: object, format_name: str = "csv", timezone: str | None = "UTC") -> list[str]:
    """Each event's type and time, or the verdict."""
    found = translated(record, format_name, timezone)
    verdicts = [found.ignored] if found.ignored else [found.rejected.data.reason] if found.rejected else []
    return [*(f"{each.type} {each.time:%Y-%m-%dT%H:%M:%S}" for each in found.events), *verdicts]


def lesson_of(record: object, format_name: str = "csv") -> NamedLesson:
    data = translated(record, format_name).events[0].data
    assert isinstance(data, NamedLesson)
    return data


def test_each_row_has_the_outcomes_that_are_written_down() -> None:
    with (DATA / "completions.csv").open(newline="", encoding="utf-8-sig") as file:
        found = [
            {"record": number, **outcome}
            for number, row in enumerate(csv.DictReader(file), 1)
            for outcome in outcomes(translated(row))
        ]
    assert found == [json.loads(line) for line in (DATA / "completions.expected.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"completed_at": "2024-09-03 09:00"},
            ["lesson.viewed 2024-09-03T08:00:00", "lesson.completed 2024-09-03T09:00:00"],
        ),
        ({"viewed_at": "2024-09-03"}, ["lesson.viewed 2024-09-03T00:00:00"]),
        ({"viewed_at": " 1725264000 "}, ["lesson.viewed 2024-09-02T08:00:00"]),
        ({"viewed_at": "", "completed_at": 1725264000}, ["lesson.completed 2024-09-02T08:00:00"]),
        ({"viewed_at": "3.9.2024"}, ["bad_time"]),
        ({"completed_at": "tomorrow"}, ["bad_time"]),
        ({"viewed_at": "1999-12-31"}, ["time_out_of_range"]),
        ({"viewed_at": "2026-12-01"}, ["time_out_of_range"]),
        ({"viewed_at": ""}, ["missing_member"]),
        ({"viewed_at": None}, ["missing_member"]),
        ({"learner": " "}, ["no_learner"]),
        ({"learner": True}, ["no_learner"]),
        ({"course": ""}, ["no_course"]),
        ({"course": ["c"]}, ["no_course"]),
        ({"lesson": ""}, ["no_lesson"]),
        ({"viewed_at": "2024-09-03T08:00:00Z", "status": "nonsense"}, ["lesson.viewed 2024-09-03T08:00:00"]),
    ],
    ids=str,
)
def test_the_times_of_a_row(changes: dict[str, Any], expected: list[str]) -> None:
    assert said(ROW | changes) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((word, "lesson.completed 2024-09-03T08:00:00") for word in ("completed", "Complete", "PASSED")),
        *(
            (word, "lesson.viewed 2024-09-03T08:00:00")
            for word in (
                "viewed",
                "in progress",
                "In_Progress",
                "in-progress",
                "IN - PROGRESS",
                "started",
                "incomplete",
            )
        ),
        *((word, "not_started") for word in ("not started", "not_started", "Not  Started", "not-started")),
        *((word, "bad_state") for word in ("failed", "100 %", "x" * 5_000)),
        ("", "missing_member"),
    ],
    ids=lambda value: value[:20],
)
def test_the_words_of_a_status(status: str, expected: str) -> None:
    row = {"learner": "7", "course": "c", "lesson": "l", "time": "2024-09-03T08:00:00Z"}
    assert said(row | {"status": status}) == [expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "completed"}, ["lesson.viewed 2024-09-03T08:00:00", "lesson.completed 2024-09-04T10:00:00"]),
        (
            {"viewed_at": "", "completed_at": "2024-09-03T08:00:00Z", "status": "in-progress"},
            ["lesson.viewed 2024-09-04T10:00:00", "lesson.completed 2024-09-03T08:00:00"],
        ),
        ({"status": "viewed"}, ["lesson.viewed 2024-09-03T08:00:00"]),
        ({"status": "not started"}, ["lesson.viewed 2024-09-03T08:00:00"]),
        ({"status": "nonsense"}, ["bad_state"]),
        ({"status": "completed", "time": "tomorrow"}, ["bad_time"]),
        ({"status": "completed", "time": ""}, ["lesson.viewed 2024-09-03T08:00:00"]),
        (
            {"status": "nonsense", "completed_at": "2024-09-03T09:00:00Z"},
            ["lesson.viewed 2024-09-03T08:00:00", "lesson.completed 2024-09-03T09:00:00"],
        ),
    ],
    ids=str,
)
def test_a_status_with_a_time_adds_to_the_time_of_a_column(changes: dict[str, Any], expected: list[str]) -> None:
    assert said(ROW | {"time": "2024-09-04T10:00:00Z"} | changes) == expected


def test_a_status_needs_a_time_unless_nothing_happened() -> None:
    row = {"learner": "7", "course": "c", "lesson": "l"}
    assert said(row | {"status": "completed"}) == ["missing_member"]
    assert said(row | {"time": "2024-09-03"}) == ["missing_member"]
    assert said(row | {"status": "not started"}) == ["not_started"]


def test_a_time_without_an_offset_is_in_the_zone_of_the_connection_or_refused() -> None:
    row = ROW | {"viewed_at": "2024-07-03"}
    assert said(row, timezone="America/New_York") == ["lesson.viewed 2024-07-03T04:00:00"]
    assert said(row, timezone=None) == ["no_offset"]


@pytest.mark.parametrize("record", ["7,c,l", None, 5, [], [ROW]], ids=str)
def test_what_is_no_row_is_rejected(record: object) -> None:
    assert said(record) == said(record, "kolibri") == ["not_an_object"]


def test_a_learner_is_a_mail_address_in_any_spelling_or_an_id() -> None:
    assert {
        lesson_of(ROW | {"learner": each}).learner for each in ("ann@x.org", " Ann@X.org ", "mailto:ann@x.org")
    } == {mail_name("ann@x.org")}
    assert lesson_of(ROW | {"learner": "1007"}).learner == lesson_of(ROW | {"learner": 1007}).learner == "user:1007"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1200", 1_200), (90, 90), ("12.9", 12), ("86400", 86_400), ("86400.9", 86_400)]
    + [(each, None) for each in ("86401", "86401.5", "-1", "1,5", "1:30", "PT1H", "", "٣", "1.5.5", "9" * 99)],
)
def test_a_duration_is_whole_seconds_up_to_a_day_or_dropped(text: object, seconds: int | None) -> None:
    row = ROW | {"duration_seconds": text}
    assert lesson_of(row).duration_seconds == seconds
    viewed, completed = translated(row | {"completed_at": "2024-09-04"}).events
    assert isinstance(viewed.data, NamedLesson)
    assert isinstance(completed.data, NamedLesson)
    assert (viewed.data.duration_seconds, completed.data.duration_seconds) == (None, seconds)


def test_a_row_with_an_id_has_one_for_each_of_its_events_and_others_that_of_their_contents() -> None:
    both = ROW | {"completed_at": "2024-09-04"}
    assert [each.id for each in translated(both | {"id": "5"}).events] == ["5/lesson.viewed", "5/lesson.completed"]
    first, second = (each.id for each in translated(both).events)
    assert first != second
    assert [each.id for each in translated(both | {"topic": "t", "duration_seconds": "5"}).events] == [first, second]
    for name in ("learner", "course", "lesson"):
        assert not {each.id for each in translated(both | {name: "other"}).events} & {first, second}


def test_a_name_that_is_too_long_is_hashed_and_one_with_odd_characters_is_a_name() -> None:
    found = lesson_of(ROW | {"course": "c" * 1_025, "lesson": "a\0b\ud800", "topic": "\u202eabc"})
    assert found.course
    assert found.course.startswith("sha256:")
    assert (found.lesson, found.topic) == ("a\ufffdb\ufffd", "\u202eabc")


def test_a_name_or_id_that_holds_a_mail_address_is_hashed() -> None:
    text = "of Ann <ann@school.example>"
    hashed = f"sha256:{sha256(text.encode()).hexdigest()}"
    row = {"learner": "ann%40school.example", "course": text, "lesson": text, "topic": text, "id": text}
    found = lesson_of(ROW | row)
    assert (found.course, found.topic, found.lesson) == (hashed, hashed, hashed)
    assert found.learner == f"sha256:{sha256(b'user:ann%40school.example').hexdigest()}"
    both = ROW | row | {"completed_at": "2024-09-04"}
    assert [each.id for each in translated(both).events] == [
        f"sha256:{sha256(f'{text}/{each}'.encode()).hexdigest()}" for each in ("lesson.viewed", "lesson.completed")
    ]
    found = lesson_of(SUMMARY | {"Channel id": text, "Content id": text, "Topic level 1": text}, "kolibri")
    assert (found.course, found.topic, found.lesson) == (hashed, hashed, hashed)


def test_columns_may_be_spelled_with_capitals_and_a_byte_order_mark() -> None:
    assert said({"\ufeffLearner": "7", " COURSE": "c", "Lesson": "l", "Viewed_At": "2024-09-03"}) != ["no_learner"]


def test_kolibri_s_summary_has_a_first_and_a_last_view_and_a_completion() -> None:
    assert said(SUMMARY, "kolibri", None) == [
        "lesson.viewed 2019-02-05T10:34:11",
        "lesson.viewed 2019-02-07T06:00:00",
        "lesson.completed 2019-02-06T23:00:00",
    ]
    found = lesson_of(SUMMARY, "kolibri")
    assert (found.learner, found.course, found.topic, found.lesson) == ("user:ann", "c1", "Arithmetic", "r1")
    for event in translated(SUMMARY, "kolibri").events:
        assert isinstance(event.data, NamedLesson)
        assert event.data.duration_seconds is None


def test_kolibri_s_session_that_begins_a_summary_is_the_same_event() -> None:
    session = {name: text for name, text in SUMMARY.items() if name != "Time of completion"}
    session["Time of last interaction"] = session["Time of first interaction"]
    first, *_ = translated(SUMMARY, "kolibri").events
    assert translated(session, "kolibri").events == [first]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Username": ""}, "anonymous"),
        ({"Channel id": ""}, "no_course"),
        ({"Content id": ""}, "no_lesson"),
        ({"Time of completion": "yesterday"}, "bad_time"),
        (
            dict.fromkeys(("Time of first interaction", "Time of last interaction", "Time of completion"), ""),
            "missing_member",
        ),
    ],
)
def test_kolibri_s_rows_that_are_no_progress(changes: dict[str, str], expected: str) -> None:
    assert said(SUMMARY | changes, "kolibri") == [expected]


def test_a_kolibri_row_without_its_columns_has_no_learner() -> None:
    assert said({}, "kolibri") == ["no_learner"]


TEXT = st.text(st.characters(), max_size=12)
TIMES = st.datetimes(datetime(1999, 6, 1), datetime(2027, 1, 1)).map(datetime.isoformat)  # noqa: DTZ001 - drawn as texts
CELLS = (
    TEXT
    | TIMES
    | st.sampled_from(["", "completed", "not started", "a@b", "1725264000", "7"])
    | st.integers()
    | st.none()
)
NAMES = [
    "learner",
    "course",
    "topic",
    "lesson",
    "viewed_at",
    "completed_at",
    "status",
    "time",
    "duration_seconds",
    "id",
]
ROWS = st.dictionaries(st.sampled_from([*NAMES, *SUMMARY, "Learner", "username"]) | TEXT, CELLS)


@given(
    st.sampled_from(["csv", "kolibri"]),
    st.one_of(ROWS, ROWS.map(lambda row: ROW | row), ROWS.map(lambda row: SUMMARY | row)),
)
def test_any_row_has_an_outcome_and_valid_events_whatever_the_order_of_its_columns(
    format_name: str, row: dict[str, object]
) -> None:
    found = translated(row, format_name)
    assert sum(map(bool, (found.events, found.ignored, found.rejected))) == 1
    for event in found.events:
        assert NAMED_EVENT.validate_json(event.to_json()) == event
        assert event.time <= ARRIVED + timedelta(minutes=5)
        assert isinstance(event.data, NamedLesson)
        assert is_name(event.data.learner)
    assert all(body for _, body in found.messages)
    again = translated(dict(reversed(row.items())), format_name)
    assert (again.events, again.ignored) == (found.events, found.ignored)
    assert bool(again.rejected) == bool(found.rejected)
