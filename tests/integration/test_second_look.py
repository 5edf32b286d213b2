"""A rebuild audits again what it repaired: what differs all the same is told, with what to do."""

import json
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import contents, execute, rows
from worker.progress.ingest import ingest


@pytest.fixture(autouse=True)
def _learners(engine: Engine) -> None:
    events = [outlined(3, [(1, 1), (1, 2)]), *(enrolled(key, timezone="Europe/Berlin") for key in (1, 2))]
    events += [completed(key, 1, 1, time="2025-07-14T22:30:00Z") for key in (1, 2)]
    ingest(engine, entries([*events, viewed(1, 1, 2, time="2025-07-14T22:40:00Z", duration_seconds=60)]))
    refresh_all(engine)


def meddle(engine: Engine, table: str, what: str) -> None:
    """Have a trigger change what is written to one of our tables."""
    execute(
        engine,
        f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NEW; END $$",
        f"CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION meddle()",
    )


@pytest.mark.parametrize("options", [[], ["--course", "3"], ["--user-course", "1"]])
def test_what_was_repaired_is_as_it_was_and_nothing_is_left(
    environment: dict[str, str], engine: Engine, options: list[str]
) -> None:
    before = contents(engine)
    execute(
        engine,
        "UPDATE user_course_progress SET status = 'in_progress' WHERE user_course_id = 1",
        "UPDATE daily_activity SET seconds = 7 WHERE user_course_id = 1",
        "DELETE FROM lesson_activity WHERE user_course_id = 1",
    )
    result = invoke(environment, "rebuild", *options)
    assert (result.exit_code, "Not repaired" in result.stdout) == (0, False)
    assert invoke(environment, "audit").stdout.splitlines()[0] == "2 enrollments audited: 0 differences."
    refresh_all(engine)
    assert contents(engine) == before


@pytest.mark.parametrize("options", [[], ["--course", "3"], ["--user-course", "1"]])
@pytest.mark.parametrize(
    ("table", "what"),
    [("daily_activity", "NEW.seconds := 7"), ("user_course_progress", "NEW.status := 'completed'")],
)
def test_what_a_trigger_undoes_is_not_repaired(
    environment: dict[str, str], engine: Engine, options: list[str], table: str, what: str
) -> None:
    meddle(engine, table, what)
    execute(engine, f"UPDATE {table} SET user_course_id = user_course_id WHERE user_course_id = 1")
    result = invoke(environment, "rebuild", *options)
    assert result.exit_code == 1
    assert "Not repaired: " in result.stdout
    assert "(enrollments 1" in result.stdout
    assert "If a trigger changes writes to these tables, remove it" in result.stdout
    again = json.loads(invoke(environment, "rebuild", *options, "--json").stdout)
    assert {each["key"][0] for each in again["not_repaired"] if each["table"] == table} == {1}


def test_of_a_course_too_what_comes_back_is_told(environment: dict[str, str], engine: Engine) -> None:
    meddle(engine, "course_figures", "NEW.sessions := 77")
    execute(engine, "UPDATE course_figures SET sessions = 77")
    result = invoke(environment, "rebuild")
    assert result.exit_code == 1
    assert "Not repaired: 1 difference came back at once (courses 3)." in result.stdout


def test_the_rules_of_zones_are_those_of_this_host(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever release of the tz database PostgreSQL has: here Berlin keeps the time of Tokyo, and PostgreSQL's Berlin
    does not.
    """
    monkeypatch.setattr("worker.contract.time_zones.ZoneInfo", lambda _: ZoneInfo("Asia/Tokyo"))
    monkeypatch.setattr("worker.analytics.zone_offsets._found", {})
    assert "differences in" in invoke(environment, "audit").stdout
    result = invoke(environment, "rebuild")
    assert (result.exit_code, "Not repaired" in result.stdout) == (0, False)
    assert invoke(environment, "audit").stdout == "2 enrollments audited: 0 differences.\n"
    assert rows(engine, "SELECT events_by_hour[24 + 8] FROM enrollment_activity ORDER BY user_course_id") == [
        (2,),
        (1,),
    ]


def test_an_enrollment_that_the_lms_deleted_and_inserted_is_not_said_to_be_right(
    environment: dict[str, str], engine: Engine
) -> None:
    said = "1 enrollment created by the LMS has no recorded events (1)."
    assert said not in invoke(environment, "rebuild").stdout
    execute(
        engine,
        "DELETE FROM user_course WHERE id = 1",
        "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 7, 3)",
    )
    refresh_all(engine)
    for command in ("rebuild", "audit"):
        result = invoke(environment, command)
        assert (result.exit_code, said in result.stdout) == (0, True)
        assert "publish or replay them" in result.stdout
    assert json.loads(invoke(environment, "audit", "--json").stdout)["enrollments_without_events"] == 1
    execute(engine, "UPDATE user_course SET user_id = 8 WHERE id = 2")
    assert said in invoke(environment, "rebuild").stdout
