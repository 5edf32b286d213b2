"""`overview` shows a course, its lessons and its learners: in words and bars, or as JSON."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import at, completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import execute
from worker.progress.ingest import ingest

OUTLINE = [(1, 1, "One"), (1, 2, "Two \x1b[31m[bold]"), (2, 3, "Three")]
NOT_COMPUTED = "statistics +not computed yet"


def a_course(engine: Engine) -> None:
    """Course 3: enrollment 5 completed the first lesson and viewed the last, 6 did nothing, 7 completed everything."""
    ingest(
        engine,
        entries(
            [
                enrolled(5),
                enrolled(6),
                enrolled(7),
                outlined(3, OUTLINE),
                completed(5, 1, 1, seconds=1),
                viewed(5, 2, 3, seconds=30, section_id=4),
                *(completed(7, *lesson[:2], seconds=20 + number) for number, lesson in enumerate(OUTLINE)),
            ]
        ),
    )


def shown(environment: dict[str, str], *arguments: str) -> str:
    result = invoke(environment, "overview", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def rfc3339(seconds: float) -> str:
    return at(seconds).isoformat().replace("+00:00", "Z")


def of_lesson(topic_id: int, lesson_id: int, title: str, *figures: Any) -> dict[str, Any]:
    names = ("enrollments", "started", "completed", "completion_rate", "last_activity_at")
    statistics = dict(zip(names, figures, strict=True))
    return {"topic_id": topic_id, "lesson_id": lesson_id, "title": title, "statistics": statistics}


def test_json_has_everything(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    refresh_all(engine)
    found = json.loads(shown(environment, "3", "--json", "--limit", "1"))
    assert found.pop("as_of")
    (learner,) = found.pop("learners")
    assert learner == json.loads(invoke(environment, "summary", "5", "--json").stdout)
    assert found == {
        "course_id": 3,
        "pending": 0,
        "statistics": {
            "enrollments": 3,
            "started": 2,
            "completed": 1,
            "completion_rate": 33.33,
            "last_activity_at": rfc3339(30),
        },
        "lessons": [
            of_lesson(1, 1, "One", 3, 2, 2, 66.67, rfc3339(20)),
            of_lesson(1, 2, "Two \x1b[31m[bold]", 3, 1, 1, 33.33, rfc3339(21)),
            of_lesson(2, 3, "Three", 3, 2, 1, 33.33, rfc3339(30)),
        ],
        "next_after": 5,
    }


def test_figures_become_tables_with_bars(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    refresh_all(engine)
    text = shown(environment, "3")
    assert re.search(r"enrollments +3 *\n +started +2 *\n +completed +1 \(33\.33 %\) *\n +█{3}▎ *\n", text)
    assert "2025-07-14 10:30:30 UTC" in text
    assert re.search(r"as of +20\d\d-.* UTC, \d+\.\d s ago", text)
    assert re.search(r" 1 +1 +1 +One +2 +2 +66\.67 % +█{6}▋ *\n", text)
    assert re.search(r" 3 +2 +3 +Three +2 +1 +33\.33 % +█{3}▎ *\n", text)
    assert re.search(r" 5 +1 of 3 +33\.33 % +█{3}▎ +2, 3: Three +\d+\.\d d ago *\n", text)
    assert re.search(r" 6 +0 of 3 +0\.00 % +1, 1: One +- *\n", text)
    assert re.search(r" 7 +3 of 3 +100\.00 % +█{10} +- .* ago *\n", text)
    assert "There are more" not in text


def test_titles_cannot_garble_the_terminal(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    ingest(engine, entries([completed(6, 1, 1)]))
    text = shown(environment, "3")
    assert text.count(r"Two \x1b[31m[bold]") == 2, "in the list of lessons, and as a next lesson"
    assert "\x1b" not in text


def test_a_page_names_the_next_one(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    first = shown(environment, "3", "--limit", "1")
    assert "There are more: --after 5\n" in first
    assert "0 of 3" not in first
    second = shown(environment, "3", "--limit", "2", "--after", "5")
    assert "There are more" not in second
    assert "1 of 3" not in second
    assert "0 of 3" in second


def test_before_the_first_refresh_it_says_so(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    text = shown(environment, "3")
    assert re.search(NOT_COMPUTED, text)
    assert re.search(r"1 +1 +1 +One +- +- +- *\n", text)
    assert "1 of 3" in text
    found = json.loads(shown(environment, "3", "--json"))
    assert (found["as_of"], found["statistics"], found["lessons"][0]["statistics"]) == (None, None, None)
    refresh_all(engine)
    assert not re.search(NOT_COMPUTED, shown(environment, "3"))


def test_a_course_may_be_without_lessons_learners_and_places_to_go_on(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([outlined(3, [])]))
    assert {"No lessons.", "No learners."} <= set(shown(environment, "3").splitlines())
    ingest(engine, entries([enrolled(5)]))
    text = shown(environment, "3")
    assert "No learners." not in text
    assert re.search(r"5 +0 of 0 +0\.00 % +- +- *\n", text)


def test_the_age_is_that_of_the_statistics(environment: dict[str, str], engine: Engine) -> None:
    a_course(engine)
    refresh_all(engine)
    execute(engine, "INSERT INTO course_change (course_id, changed_at) VALUES (3, now() - interval '3 hours')")
    text = shown(environment, "3")
    assert "UTC, 3.0 h ago" in text
    assert re.search("pending +3 enrollments changed since; not included yet", text)


@pytest.mark.parametrize("unknown", ["404", "0", str(2**63)])
def test_a_course_that_is_none_is_told_so(environment: dict[str, str], unknown: str) -> None:
    result = invoke(environment, "overview", unknown)
    assert result.exit_code == 1
    assert unknown in result.stderr


def test_statistics_of_no_enrollment_are_not_shown_while_some_are_pending(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([outlined(3, OUTLINE)]))
    refresh_all(engine)
    assert re.search("enrollments +0", shown(environment, "3"))
    a_course(engine)
    text = shown(environment, "3")
    assert re.search(NOT_COMPUTED, text)
    assert re.search("pending +3 enrollments changed since; not included yet", text)
    assert re.search("1 +1 +1 +One +- +- +-", text)
    assert "started  " not in text.partition("Lessons")[0]
    assert re.search("3 +3 +- +- +- +- +pending +-", invoke(environment, "courses").stdout)


def test_long_titles_are_clipped_at_a_readable_length(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([outlined(3, [(1, 1, "long " * 50), (1, 2, "\N{HEBREW LETTER SHIN}" * 99)]), enrolled(5)]))
    ingest(engine, entries([viewed(5, 1, 1)]))
    refresh_all(engine)
    for command in ("overview 3", "learner 5", "summary 5", "outline show 3", "learner 5 --lesson 1 1"):
        text = invoke(environment, *command.split()).stdout
        assert "long " * 13 not in text, command
        assert re.search("(long ){11}long… *(?!long)", text), f"{command}:\n{text}"
