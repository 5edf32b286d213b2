"""Rows of the CSV of Moodle's report *Logs*."""

from datetime import UTC, datetime

import pytest

from tests.support.lms_records import event_of, outcome, reported

VIEWED = "The user with id '3' viewed the 'page' activity with course module id '42'."
COMPLETION = (
    "The user with id '2' updated the completion state for the course module with id '42' for the user with id '3'."
)
OTHERS = [
    "The user with id '3' viewed the course with id '5'.",
    "The user with id '3' viewed the chapter with id '9' for the book with course module id '42'.",
    "The user with id '3' has viewed the discussion with id '9' in the forum with course module id '42'.",
    "The user with id '3' viewed the instance list for the module 'quiz' in the course with id '5'.",
    COMPLETION.replace("updated the completion state", "overrode the completion state to '1'"),
    "The user with id '2' updated the 'page' activity with course module id '42'.",
    "Se ha visto la página",
    "",
]


def test_views() -> None:
    event = event_of("moodle", reported(VIEWED))
    assert (event.type, event.time) == ("lesson.viewed", datetime(2022, 10, 4, 14, 37, tzinfo=UTC))
    assert (event.data.learner, event.data.lesson, event.data.course) == ("user:3", "cm:42", None)


@pytest.mark.parametrize(("setting", "course"), [("5", "course:5"), ("course:5", "course:5"), ("FRA-1", "FRA-1")])
def test_the_course_is_by_setting(setting: str, course: str) -> None:
    assert event_of("moodle", reported(VIEWED), course=setting).data.course == course


def test_completions() -> None:
    assert outcome("moodle", reported(COMPLETION)) == "state_unknown"
    event = event_of("moodle", reported(COMPLETION), assume_completed=True)
    assert (event.type, event.data.learner, event.data.lesson) == ("lesson.completed", "user:3", "cm:42")


@pytest.mark.parametrize("description", OTHERS)
def test_others(description: str) -> None:
    assert outcome("moodle", reported(description), assume_completed=True) == "event_type"


@pytest.mark.parametrize("user", ["0", "-1", "1"])
def test_nobody(user: str) -> None:
    assert outcome("moodle", reported(VIEWED.replace("'3'", f"'{user}'"))) == "anonymous"


def test_a_restored_course() -> None:
    assert outcome("moodle", reported(VIEWED, Origin="restore")) == "restore"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/10/22, 15:37", datetime(2022, 10, 4, 14, 37, tzinfo=UTC)),
        ("04/10/22, 15:37", datetime(2022, 10, 4, 14, 37, tzinfo=UTC)),
        ("4/10/2022, 15:37", datetime(2022, 10, 4, 14, 37, tzinfo=UTC)),
        ("4/10/22, 15:37:09", datetime(2022, 10, 4, 14, 37, 9, tzinfo=UTC)),
        ("4/10/22 15:37", datetime(2022, 10, 4, 14, 37, tzinfo=UTC)),
        ("4/12/22, 5:07", datetime(2022, 12, 4, 5, 7, tzinfo=UTC)),
        ("10/13/22, 15:37", "rejected: bad_time"),
        ("31/02/22, 15:37", "rejected: bad_time"),
        ("4/10/22, 25:37", "rejected: bad_time"),
        ("4 October 2022, 3:37 PM", "rejected: bad_time"),
        ("2022-10-04T15:37:00Z", "rejected: bad_time"),
        ("4/10/1999, 15:37", "rejected: time_out_of_range"),
        ("4/10/27, 15:37", "rejected: time_out_of_range"),
        ("", "rejected: bad_time"),
    ],
)
def test_times(text: str, expected: datetime | str) -> None:
    record = reported(VIEWED, Time=text)
    assert (outcome("moodle", record) if isinstance(expected, str) else event_of("moodle", record).time) == expected


def test_a_minute_is_one_view_of_an_activity() -> None:
    event = event_of("moodle", reported(VIEWED))
    assert event_of("moodle", reported(VIEWED, **{"User full name": "-", "IP address": ""})).id == event.id
    assert event_of("moodle", {name.lower(): value for name, value in reported(VIEWED).items()}).id == event.id
    assert event_of("moodle", reported(VIEWED, Time="4/10/22, 15:38")).id != event.id
    assert event_of("moodle", reported(VIEWED.replace("42", "43"))).id != event.id
