"""`learner` shows the analysis of an enrollment, as tables or as JSON."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import record, refresh_all
from tests.support.tables import insert_as_lms
from worker.analytics import stored_learner
from worker.progress.ingest import ingest

OUTLINE = [(1, 1, "One"), (1, 2, "Two \x1b[31m[bold]"), (2, 3, "Three")]


@pytest.fixture
def today(engine: Engine) -> datetime:
    """Now; enrollment 5 completed a lesson in ten measured minutes and came back to another on each of three days."""
    now = datetime.now(UTC)
    again = [viewed(5, 1, 2, time=now - timedelta(days=day)) for day in (2, 1, 0)]
    done = completed(5, 1, 1, time=now - timedelta(days=9), duration_seconds=600)
    ingest(engine, entries([outlined(3, OUTLINE), enrolled(5, course_id=3), done, *again]))
    refresh_all(engine)
    return now


def test_json_has_the_members_of_the_analysis(environment: dict[str, str], today: datetime) -> None:
    result = invoke(environment, "learner", "5", "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert (shown["user_course_id"], shown["course_id"], shown["sessions"]) == (5, 3, 4)
    assert shown["spent"] == {"seconds": 600, "measured_seconds": 600}
    assert [(each["lesson_id"], each["status"], each["visits"]) for each in shown["lessons"]] == [
        (1, "completed", 1),
        (2, "in_progress", 3),
    ]
    assert (shown["completed_lessons"], shown["total_lessons"], shown["completion_percentage"]) == (1, 3, 33.33)
    assert sum(each["completed"] for each in shown["weeks"]) == 1
    assert (len(shown["days"]), shown["days"][-1]["events"]) == (28, 1)
    assert [len(hours) for hours in shown["events_by_weekday"]] == [24] * 7
    assert (shown["streaks"]["current"], shown["last_seen_on"]) == (3, today.date().isoformat())
    assert (shown["projection"]["basis"], "a week" in shown["projection"]["reason"]) == ("recent", True)
    assert [(each["kind"], each["earned_on"]) for each in shown["achievements"]] == [
        ("first_lesson", (today - timedelta(days=9)).date().isoformat())
    ]
    assert shown["as_of"].endswith("Z")


@pytest.mark.usefixtures("today")
def test_people_get_tables_that_cannot_garble_the_terminal(environment: dict[str, str]) -> None:
    shown = invoke(environment, "learner", "5").stdout
    assert re.search(r"completed +1 of 3 \(33.33 %\)", shown)
    assert re.search("time spent +10.0 min, measured", shown)
    assert re.search(r"\d{4}-\d\d-\d\d +1 +[1-4] +10.0 min, measured +█ *$", shown, re.MULTILINE), shown
    assert re.search("streak +3 days now", shown)
    assert re.search("achieved +first lesson, 2", shown)
    assert re.search(r"1 +2 .* go on with the current lesson", shown)
    assert re.search(r"1 +2 +Two \S+ +not completed after 3 visits", shown)
    assert r"Two \x1b[31m[bold]" in shown
    assert "\x1b" not in shown


@pytest.mark.usefixtures("today")
def test_the_settings_hold(environment: dict[str, str]) -> None:
    shown = invoke({**environment, "PROGRESS_STUCK_VISITS": "4"}, "learner", "5").stdout
    assert "Not stuck on any lesson." in shown


def test_an_enrollment_without_any_event_is_shown_too(environment: dict[str, str], engine: Engine) -> None:
    insert_as_lms(engine, 7)
    shown = invoke(environment, "learner", "7").stdout
    assert re.search("as of +20", shown)
    for said in ("Nothing to recommend.", "Not stuck on any lesson.", "No visits.", "No weeks."):
        assert said in shown
    assert re.search("last seen +never", shown)


def test_a_very_long_history_says_that_its_activity_is_not_computed_or_not_current(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_learner, "MAX_EVENTS", 0)
    ingest(engine, entries([enrolled(5), viewed(5)]))
    shown = invoke(environment, "learner", "5").stdout
    assert re.search("as of +not computed yet", shown)
    for unknown_yet in ("time spent ", "last seen", "Stuck", "No visits", "Weeks", "No weeks", "Hours"):
        assert unknown_yet not in shown
    refresh_all(engine)
    ingest(engine, entries([viewed(5, seconds=9)]))
    shown = invoke(environment, "learner", "5").stdout
    assert re.search("as of +20.*; later events are not included yet", shown)


def test_what_is_not_known_has_no_average_and_a_day_no_end(environment: dict[str, str], engine: Engine) -> None:
    record(engine, [outlined(3, [(1, 1), (1, 2)]), enrolled(5), viewed(5, 1, 1)])
    shown = invoke(environment, "learner", "5").stdout
    assert re.search("sessions +1 *$", shown, re.MULTILINE)
    assert re.search("the longest 1, 2025-07-14 *$", shown, re.MULTILINE)


def test_a_finished_learner_is_shown_with_the_day(environment: dict[str, str], engine: Engine) -> None:
    record(engine, [outlined(3, [(1, 1)]), enrolled(5), completed(5, 1, 1)])
    shown = invoke(environment, "learner", "5").stdout
    assert re.search("finished +2025-07-14", shown)
    assert "projected" not in shown


@pytest.mark.parametrize("unknown", ["404", "0", str(2**63)])
def test_an_id_that_is_no_enrollment_is_told_so(environment: dict[str, str], unknown: str) -> None:
    result = invoke(environment, "learner", unknown)
    assert result.exit_code == 1
    assert unknown in result.stderr
