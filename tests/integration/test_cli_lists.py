"""`courses`, `enrollments` and `summary` of several: what they print, page by page, and as JSON."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined
from tests.support.rollups import refresh_all
from worker.progress.ingest import ingest


@pytest.fixture(autouse=True)
def learners(engine: Engine) -> None:
    """Course 3 with enrollments 1 and 2, course 4 with 5, without an outline; 1 and 5 are of user 7."""
    known = [enrolled(1), enrolled(2, user_id=8), enrolled(5, course_id=4)]
    ingest(engine, entries([outlined(3, [(1, 1), (1, 2)]), *known, completed(1, 1, 1)]))


def shown(environment: dict[str, str], *arguments: str) -> str:
    result = invoke(environment, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(environment: dict[str, str], *arguments: str) -> Any:
    return json.loads(shown(environment, *arguments, "--json"))


def lines(output: str) -> list[list[str]]:
    """The words of each row below the header."""
    return [line.split() for line in output.splitlines() if line.strip()[:1].isdigit()]


def test_courses(environment: dict[str, str], engine: Engine) -> None:
    assert lines(shown(environment, "courses"))[0] == ["3", "2", "-", "-", "-", "-", "not", "computed", "-"]
    refresh_all(engine)
    moment = ["2025-07-14", "10:30:00", "UTC"]
    assert lines(shown(environment, "courses")) == [
        ["3", "2", "2", "1", "0", "0.00", "%", "current", *moment],
        ["4", "-", "1", "0", "0", "0.00", "%", "current", "-"],
    ]
    ingest(engine, entries([completed(1, 1, 2)]))
    assert [each[7] for each in lines(shown(environment, "courses"))] == ["pending", "current"]
    assert [each["course_id"] for each in as_json(environment, "courses", "--after", "3")["courses"]] == [4]
    assert "There are more: --after 3" in shown(environment, "courses", "--limit", "1")
    assert shown(environment, "courses", "--after", "4") == "No more courses.\n"


@pytest.mark.parametrize(("command", "omitted"), [("courses", "last activity"), ("enrollments --user 7", "rate")])
def test_at_80_columns_a_list_is_a_table_without_its_spare_columns(
    environment: dict[str, str], engine: Engine, command: str, omitted: str
) -> None:
    refresh_all(engine)
    output = shown({**environment, "TTY_COMPATIBLE": "1", "COLUMNS": "80", "NO_COLOR": "1"}, *command.split())
    assert f"Not shown at this width: {omitted}." in output
    assert [line[0] for line in lines(output)] == (["3", "4"] if command == "courses" else ["1", "5"])


def test_enrollments(environment: dict[str, str]) -> None:
    moment = ["2025-07-14", "10:30:00", "UTC"]
    assert lines(shown(environment, "enrollments", "--course", "3")) == [
        ["1", "7", "3", "1", "of", "2", "50.00", "%", "1,", "1", *moment],
        ["2", "8", "3", "0", "of", "2", "0.00", "%", "-", "-"],
    ]
    of_user = as_json(environment, "enrollments", "--user", "7")
    assert [(each["user_course_id"], each["course_id"]) for each in of_user["enrollments"]] == [(1, 3), (5, 4)]
    assert "There are more: --after 1" in shown(environment, "enrollments", "--limit", "1")
    assert shown(environment, "enrollments", "--user", "7", "--course", "9") == "No enrollments.\n"


def test_an_enrollment_has_the_members_of_its_summary(environment: dict[str, str], engine: Engine) -> None:
    refresh_all(engine)
    listed = as_json(environment, "enrollments", "--user", "7")["enrollments"]
    others = [("user_id", 7), ("course_id", 3)]
    assert listed[0] == dict(others) | as_json(environment, "summary", "1")


def test_an_unknown_enrollment_does_not_stop_the_summaries_of_others(environment: dict[str, str]) -> None:
    result = invoke(environment, "summary", "1", "77", "0", "5", "--json")
    assert result.exit_code == 1
    assert [each["user_course_id"] for each in json.loads(result.stdout)] == [1, 5]
    assert "no enrollment 77" in result.stderr
    assert "0 is not an enrollment id" in result.stderr
    output = shown(environment, "summary", "1", "5")
    assert output.index("Enrollment 1") < output.index("Enrollment 5")
