"""The endpoints of reports. Who may call them is tested over every endpoint in test_api_authorization.py."""

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.progress.ingest import ingest
from worker.reports import page
from worker.settings import Settings

TOKENS = [{"name": "limited", "token": "everything-in-one-course", "scopes": ["read"], "courses": [3]}]
every_report = pytest.mark.parametrize("path", ["/reports/course/3", "/reports/learner/5"])


@pytest.fixture(autouse=True)
def _recorded(engine: Engine) -> None:
    """Enrollment 5 of course 3 completed one of two lessons and opened the other, and 6 of course 4 nothing."""
    now = datetime.now(UTC)
    visits = [viewed(5, 1, 2, time=now - timedelta(days=day), duration_seconds=60) for day in (3, 2, 1)]
    done = completed(5, 1, 1, time=now - timedelta(days=4))
    enrollments = [enrolled(5, course_id=3), enrolled(6, course_id=4)]
    ingest(engine, entries([outlined(3, [(1, 1, "One"), (1, 2, "@Two")]), *enrollments, done, *visits]))
    refresh_all(engine)


@every_report
def test_a_page_is_answered_that_a_browser_keeps_to_itself(settings: Settings, path: str) -> None:
    with served(settings) as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.startswith("<!doctype html>")
    assert "@Two" in answer.text


@every_report
def test_each_table_is_what_the_command_exports(settings: Settings, environment: dict[str, str], path: str) -> None:
    _, _, subject, identity = path.split("/")
    shown = json.loads(invoke(environment, "report", subject, identity, "--format", "json").stdout)
    with served(settings) as client:
        for table in shown.pop("tables"):
            found = client.get(f"{path}/{table['name']}.json").json()
            answer = client.get(f"{path}/{table['name']}.csv")
            read = list(csv.DictReader(StringIO(answer.text, newline="")))
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            assert f"{subject}-{identity}-{table['name']}.csv" in answer.headers["Content-Disposition"]
            assert len(read) == len(found["rows"])
            if table["name"] == "headline":  # what is foreseen is of the moment it is asked at
                found["rows"] = table["rows"] = found["rows"][:10]
            assert datetime.fromisoformat(shown["as_of"]) < datetime.fromisoformat(found["as_of"])
            assert found == {**shown, **table, "as_of": found["as_of"]}


@pytest.mark.parametrize(
    ("accept", "has_mark"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/csv", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
    ],
)
@every_report
def test_csv_for_a_browser_begins_with_a_byte_order_mark(
    settings: Settings, path: str, accept: str, has_mark: bool
) -> None:
    with served(settings) as client:
        answer = client.get(f"{path}/lessons.csv", headers={"Accept": accept})
    assert answer.content.startswith(b"\xef\xbb\xbf") is has_mark
    assert answer.headers["Vary"] == "Accept"


@every_report
def test_a_title_is_no_formula_in_csv_and_itself_in_json(settings: Settings, path: str) -> None:
    with served(settings) as client:
        read = list(csv.DictReader(StringIO(client.get(f"{path}/lessons.csv").text, newline="")))
        assert [each["title"] for each in read] == ["One", "'@Two"]
        assert [each["title"] for each in client.get(f"{path}/lessons.json").json()["rows"]] == ["One", "@Two"]


@every_report
def test_an_unknown_table_is_not_found_and_those_there_are_are_listed(settings: Settings, path: str) -> None:
    with served(settings) as client:
        for form in ("csv", "json"):
            answer = client.get(f"{path}/grades.{form}")
            assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
            assert "it has headline, " in answer.json()["detail"]
        assert client.get(f"{path}/lessons.xml").status_code == 404


@every_report
def test_without_the_extra_tables_are_answered_and_the_page_says_what_is_missing(
    settings: Settings, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    with served(settings) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (501, "application/problem+json")
        assert "pip install 'course-progress-worker[report]'" in answer.json()["detail"]
        assert client.get(f"{path}/lessons.csv").status_code == 200


def test_what_is_not_there_or_not_the_callers_is_refused(settings: Settings) -> None:
    with served(settings) as client:
        for path in ("/reports/course/404", "/reports/learner/404"):
            assert client.get(path).status_code == 404
            assert client.get(f"{path}/lessons.csv").status_code == 404
    limited = settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})
    with served(limited, Authorization="Bearer everything-in-one-course") as client:
        for foreign in ("/reports/course/4", "/reports/course/404", "/reports/learner/6", "/reports/learner/404"):
            for path in (foreign, f"{foreign}/lessons.csv", f"{foreign}/lessons.json"):
                answer = client.get(path)
                assert (answer.status_code, "has no access to" in answer.json()["detail"]) == (403, True), path
        for own in ("/reports/course/3", "/reports/learner/5"):
            assert client.get(own).status_code == 200
