"""The endpoints of analyses. Who may call is tested over every endpoint in test_api_authorization.py."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.analytics.course_analysis import analyze_course
from worker.analytics.thresholds import AnalysisThresholds
from worker.database.server import read_clock
from worker.progress.ingest import ingest
from worker.settings import Settings

TOKENS = [{"name": "limited", "token": "everything-in-one-course", "scopes": ["read"], "courses": [3]}]


@pytest.fixture
def learner(engine: Engine) -> None:
    """Enrollment 5 of course 3 with two lessons, and 6 of course 4 with nothing."""
    now = datetime.now(UTC)
    visits = [viewed(5, 1, 2, time=now - timedelta(days=day), duration_seconds=60) for day in (3, 2, 1)]
    done = completed(5, 1, 1, time=now - timedelta(days=7))
    enrollments = [enrolled(5, course_id=3), enrolled(6, course_id=4)]
    ingest(engine, entries([outlined(3, [(1, 1, "One"), (1, 2), (2, 1)]), *enrollments, done, *visits]))
    refresh_all(engine)


@pytest.mark.usefixtures("learner")
def test_it_answers_what_the_command_shows(settings: Settings, environment: dict[str, str]) -> None:
    with served(settings) as client:
        answer = client.get("/analytics/learner/5")
    assert answer.status_code == 200, answer.text
    found, shown = answer.json(), json.loads(invoke(environment, "learner", "5", "--json").stdout)
    for each in (found, shown):  # a rate, what is foreseen from it, and as of are of the moment they are asked at
        assert (each.pop("velocity")["overall"], each.pop("projection")["rate"]) == pytest.approx((1, 1), rel=1e-3)
        assert each.pop("as_of") == each.pop("course_as_of")
    assert found == shown
    (stuck,) = found["stuck"]
    assert (stuck["lesson_id"], stuck["reason"]) == (
        2,
        "not completed after 3 visits, nor any later lesson since the first visit",
    )
    assert [(each["rule"], each["visits"], each["seconds"]) for each in stuck["reasons"]] == [("many_visits", 3, None)]
    assert [each["rule"] for each in found["recommendations"][0]["reasons"]] == ["current"]


@pytest.mark.usefixtures("learner")
def test_the_settings_hold(settings: Settings) -> None:
    with served(settings.model_copy(update={"stuck_visits": 4, "dormant_days": 1})) as client:
        found = client.get("/analytics/learner/5").json()
    assert (found["stuck"], found["is_dormant"]) == ([], True)


@pytest.mark.usefixtures("learner")
def test_an_enrollment_that_is_not_there_or_not_the_callers_is_refused(settings: Settings) -> None:
    with served(settings) as client:
        unknown = client.get("/analytics/learner/404")
        assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "application/problem+json")
        assert "There is no enrollment 404" in unknown.json()["detail"]
        assert client.get(f"/analytics/learner/{2**63}").status_code == 422
    limited = settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})
    with served(limited, Authorization="Bearer everything-in-one-course") as client:
        assert client.get("/analytics/learner/5").status_code == 200
        for foreign in (6, 404):
            assert client.get(f"/analytics/learner/{foreign}").status_code == 403


@pytest.mark.usefixtures("learner")
def test_a_course_is_answered_as_the_service_has_it(settings: Settings, engine: Engine) -> None:
    before = read_clock(engine)
    with served(settings) as client:
        answer = client.get("/analytics/course/3")
    assert answer.status_code == 200, answer.text
    found, expected = answer.json(), analyze_course(engine, 3, datetime.now(UTC), AnalysisThresholds.of(settings))
    assert expected.as_of
    assert before < datetime.fromisoformat(found["as_of"]) < expected.as_of
    assert (found["pending"], expected.pending) == (0, 0)
    assert [(each["title"], each["visits"], each["stuck"], each["drop_off"]) for each in found["lessons"]] == [
        ("One", 1, 0, 0),
        (None, 3, 1, 1),
        (None, 0, 0, None),
    ]
    assert found["spent"] == {"seconds": 180, "measured_seconds": 180}
    assert (len(found["events_by_weekday"]), sum(map(sum, found["events_by_weekday"]))) == (7, 4)
    assert sum(each["completed"] for each in found["weeks"]) == 1


@pytest.mark.usefixtures("learner")
def test_a_course_that_is_unknown_or_not_the_callers_is_refused(settings: Settings) -> None:
    with served(settings) as client:
        unknown = client.get("/analytics/course/404")
        assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "application/problem+json")
        assert "Course 404 is unknown" in unknown.json()["detail"]
        assert client.get(f"/analytics/course/{2**63}").status_code == 422
    limited = settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})
    with served(limited, Authorization="Bearer everything-in-one-course") as client:
        assert client.get("/analytics/course/3").status_code == 200
        for foreign in (4, 404):
            assert client.get(f"/analytics/course/{foreign}").status_code == 403
