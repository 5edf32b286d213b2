"""`summary` computes an enrollment's summary from its rows and its course's outline."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import counted_statements, insert_as_lms
from worker.progress.ingest import ingest
from worker.summary.read import get_summary

OUTLINE = [(1, 1, "One"), (1, 2, "Two \x1b[31m[bold]"), (2, 3, "Three")]


def summary(environment: dict[str, str], user_course_id: int) -> dict[str, Any]:
    result = invoke(environment, "summary", str(user_course_id), "--json")
    assert result.exit_code == 0, result.output
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def test_the_fields_are_those_of_the_contract(environment: dict[str, str], engine: Engine) -> None:
    ingest(
        engine,
        entries(
            [
                enrolled(5, course_id=3),
                outlined(3, OUTLINE),
                completed(5, 1, 1, seconds=1),
                viewed(5, 9, 9, seconds=2),
                viewed(5, 1, 1, seconds=30, section_id=4),
            ]
        ),
    )
    shown = summary(environment, 5)
    assert shown.pop("refreshed_at")
    assert shown == {
        "user_course_id": 5,
        "total_lessons": 3,
        "total_is_known": True,
        "completed_lessons": 1,
        "in_progress_lessons": 0,
        "not_started_lessons": 2,
        "completion_percentage": 33.33,
        "current_topic_id": 1,
        "current_lesson_id": 1,
        "current_section_id": 4,
        "next_topic_id": 1,
        "next_lesson_id": 2,
        "next_reason": "after_current",
        "last_activity_at": at(30).isoformat().replace("+00:00", "Z"),
    }


def test_titles_are_shown_and_cannot_garble_the_terminal(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([enrolled(5, course_id=3), outlined(3, OUTLINE), completed(5, 1, 1)]))
    shown = invoke(environment, "summary", "5").stdout
    assert "1 of 3 (33.33 %)" in shown
    assert "topic 1, lesson 1: One" in shown
    assert r"topic 1, lesson 2: Two \x1b[31m[bold] (first not completed after the current one)" in shown


def test_without_an_outline_the_rows_stand_for_it(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([enrolled(5), completed(5, 1, 1), viewed(5, 2, 2, seconds=1), corrected(5, 3, 3)]))
    shown = summary(environment, 5)
    counts = [shown[f"{name}_lessons"] for name in ("total", "completed", "in_progress", "not_started")]
    assert counts == [3, 1, 1, 1]
    assert (shown["next_topic_id"], shown["next_lesson_id"], shown["total_is_known"]) == (2, 2, False)


def test_an_empty_outline_is_not_the_same_as_none(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([enrolled(5, course_id=3), outlined(3, []), completed(5, 1, 1)]))
    shown = summary(environment, 5)
    assert (shown["total_lessons"], shown["completion_percentage"], shown["next_lesson_id"]) == (0, 0, None)


def test_an_enrollment_without_any_event_has_a_summary(environment: dict[str, str], engine: Engine) -> None:
    insert_as_lms(engine, 7)
    shown = summary(environment, 7)
    assert (shown["total_lessons"], shown["current_lesson_id"], shown["last_activity_at"]) == (0, None, None)
    assert re.search("last activity +none", invoke(environment, "summary", "7").stdout)


def test_a_current_summary_takes_one_query_and_another_is_computed(engine: Engine) -> None:
    insert_as_lms(engine, 7)
    refresh_all(engine)
    assert queries_of_a_summary(engine, 7) == 1
    ingest(engine, entries([viewed(7)]))
    assert queries_of_a_summary(engine, 7) == 3


def queries_of_a_summary(engine: Engine, user_course_id: int) -> int:
    with counted_statements(engine) as statements:
        get_summary(engine, user_course_id)
    return len([each for each in statements if each not in {"BEGIN", "COMMIT", "ROLLBACK"}])


@pytest.mark.parametrize("unknown", ["404", "0", str(2**63)])
def test_an_id_that_is_no_enrollment_is_told_so(environment: dict[str, str], unknown: str) -> None:
    result = invoke(environment, "summary", unknown)
    assert result.exit_code == 1
    assert unknown in result.stderr
