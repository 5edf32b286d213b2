"""The history of a lesson: service, command and endpoint."""

import json
import re
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import START, at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.tables import counted_statements, execute, rows
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.visit_history import MAX_LISTED, visit_history
from worker.contract.progress_status import ProgressStatus
from worker.errors import InputError, NotFoundError
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired
from worker.settings import Settings

CUTOFF = 1_800
DAY = 86_400
NOTHING = visit_history([], (1, 1), None, timedelta(seconds=CUTOFF))
TOKENS = [{"name": "limited", "token": "everything-in-one-course", "scopes": ["read"], "courses": [3]}]
PATH = "/analytics/learner/{}/topic/{}/lesson/{}"


@pytest.fixture
def learner(engine: Engine) -> None:
    """Enrollment 5 came to lesson 2 of topic 1 on three days, completing it on the second; then it was set by hand."""
    visits = [
        viewed(5, 1, 2, seconds=0),
        viewed(5, 1, 1, seconds=100),
        completed(5, 1, 2, seconds=DAY, duration_seconds=600),
        viewed(5, 1, 2, seconds=2 * DAY - 900),
        viewed(5, 1, 2, seconds=2 * DAY),
    ]
    by_hand = corrected(5, 1, 2, status="in_progress", last_viewed_at=at(DAY), seconds=2 * DAY + 1)
    outline = outlined(3, [(1, 1), (1, 2, "Two \x1b[31m[bold]"), (1, 3)], seconds=-9)
    ingest(engine, entries([outline, enrolled(5, course_id=3), enrolled(6, course_id=4), *visits, by_hand]))


@pytest.mark.usefixtures("learner")
def test_what_it_says_of_a_lesson_is_what_one_would(engine: Engine) -> None:
    found = lesson_history(engine, 5, 1, 2, CUTOFF)
    assert (found.title, found.status, found.completed_at) == ("Two \x1b[31m[bold]", ProgressStatus.IN_PROGRESS, None)
    assert [(each.began_at, each.spent.seconds, each.completions) for each in found.history.last_visits] == [
        (at(0), 100, 0),
        (at(DAY), 600, 1),
        (at(2 * DAY - 900), 900, 0),
    ]
    assert [(each.corrected_at, each.status) for each in found.history.last_corrections] == [
        (at(2 * DAY + 1), ProgressStatus.IN_PROGRESS)
    ]
    assert found.history_from is None


@pytest.mark.usefixtures("learner")
def test_a_lesson_never_touched_has_an_empty_history(engine: Engine) -> None:
    for key in ((5, 1, 3), (5, 9, 9), (6, 1, 2)):
        found = lesson_history(engine, *key, CUTOFF)
        assert (found.status, found.history, found.completed_at) == (ProgressStatus.NOT_STARTED, NOTHING, None)


@pytest.mark.usefixtures("learner")
def test_ids_that_are_none_are_told_so(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="There is no enrollment 404"):
        lesson_history(engine, 404, 1, 2, CUTOFF)
    for key, what in (
        ((0, 1, 1), "0 is not an enrollment id"),
        ((5, 2**31, 1), "is not a topic"),
        ((5, 1, -1), "-1 is not a lesson"),
    ):
        with pytest.raises(InputError, match=what):
            lesson_history(engine, *key, CUTOFF)


def test_after_retention_it_holds_since_when_it_says(engine: Engine) -> None:
    old, new = viewed(5, 1, 2, seconds=0), viewed(5, 1, 2, seconds=DAY)
    ingest(engine, entries([enrolled(5), old, new]))
    statement = "UPDATE lesson_event SET recorded_at = now() - interval '40 days' WHERE event_id = CAST(:id AS uuid)"
    execute(engine, statement, id=old.event_id)
    delete_expired(engine, 30, lambda: True)
    found = lesson_history(engine, 5, 1, 2, CUTOFF)
    assert [(found.history_from,)] == rows(engine, "SELECT history_from FROM user_course")
    assert found.history_from
    assert (found.history.visits, found.history.first_visit_at) == (1, at(DAY))


def test_of_very_many_all_are_counted_and_the_last_are_shown_by_three_queries(engine: Engine) -> None:
    ingest(engine, entries([enrolled(5), viewed(5, 1, 2)]))
    execute(
        engine,
        """INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id, corrected_status)
           SELECT 5, gen_random_uuid(), CAST(:start AS timestamptz) + make_interval(hours => hour), CAST(kind AS
                  lesson_event_type), 1, 2, CASE kind WHEN 'corrected' THEN CAST('not_started' AS progress_status) END
           FROM generate_series(1, 20000) AS hour, unnest(ARRAY['viewed', 'corrected']) AS kind""",
        start=START,
    )
    with counted_statements(engine) as statements:
        history = lesson_history(engine, 5, 1, 2, CUTOFF).history
    assert len([each for each in statements if each not in {"BEGIN", "COMMIT", "ROLLBACK"}]) == 3
    assert (history.visits, history.corrections, history.first_visit_at) == (20_001, 20_000, START)
    assert [each.number for each in history.last_visits] == list(range(20_002 - MAX_LISTED, 20_002))
    assert len(history.last_corrections) == MAX_LISTED
    assert history.last_corrections[-1].corrected_at == history.last_visits[-1].began_at == at(20_000 * 3_600)


@pytest.mark.usefixtures("learner")
def test_the_endpoint_answers_what_the_command_shows(settings: Settings, environment: dict[str, str]) -> None:
    result = invoke(environment, "learner", "5", "--lesson", "1", "2", "--json")
    assert result.exit_code == 0, result.output
    with served(settings) as client:
        answer = client.get(PATH.format(5, 1, 2))
        assert answer.status_code == 200, answer.text
        assert answer.json() == json.loads(result.stdout)
        untouched = client.get(PATH.format(5, 9, 9)).json()
    assert (answer.json()["history"]["visits"], answer.json()["history"]["first_visit_at"]) == (
        3,
        "2025-07-14T10:30:00Z",
    )
    assert (untouched["status"], untouched["history"]["last_visits"]) == ("not_started", [])


@pytest.mark.usefixtures("learner")
def test_the_cut_off_is_that_of_the_settings(settings: Settings, environment: dict[str, str]) -> None:
    shorter = {**environment, "PROGRESS_IDLE_CUTOFF_SECONDS": "900"}
    shown = invoke(shorter, "learner", "5", "--lesson", "1", "2", "--json").stdout
    assert json.loads(shown)["history"]["visits"] == 4
    with served(settings.model_copy(update={"idle_cutoff_seconds": 900})) as client:
        assert client.get(PATH.format(5, 1, 2)).json()["history"]["visits"] == 4


@pytest.mark.usefixtures("learner")
def test_people_get_tables_that_cannot_garble_the_terminal(environment: dict[str, str]) -> None:
    shown = invoke(environment, "learner", "5", "--lesson", "1", "2").stdout
    assert r"Two \x1b[31m[bold]" in shown
    assert "\x1b" not in shown
    assert re.search("status +in_progress", shown)
    assert re.search(r"2 +2025-07-15 10:30:00 UTC +2025-07-15 10:30:00 UTC +1 +1 +- +10.0 min, measured", shown)
    assert re.search("2025-07-16 10:30:01 UTC +in_progress +2025-07-15 10:30:00 UTC +-", shown)
    assert "known since" not in shown
    untouched = invoke(environment, "learner", "5", "--lesson", "1", "3").stdout
    assert re.search("(?s)not_started.*No visits.*No corrections", untouched)
    unknown = invoke(environment, "learner", "404", "--lesson", "1", "2")
    assert (unknown.exit_code, "There is no enrollment 404" in unknown.stderr) == (1, True)


@pytest.mark.usefixtures("learner")
def test_an_enrollment_that_is_not_there_or_not_the_callers_is_refused(settings: Settings) -> None:
    with served(settings) as client:
        assert client.get(PATH.format(404, 1, 2)).status_code == 404
        assert client.get(PATH.format(5, 0, 2)).status_code == 422
    limited = settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})
    with served(limited, Authorization="Bearer everything-in-one-course") as client:
        assert [client.get(PATH.format(key, 1, 2)).status_code for key in (5, 6, 404)] == [200, 403, 403]
