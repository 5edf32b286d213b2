"""Events dated before the enrollment was made: applied as told, counted, and shown."""

import csv
import json

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, corrected, enrolled, entries, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import execute, insert_as_lms, rows
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest

COUNTED = "SELECT user_course_id, doubtful_events FROM enrollment_activity ORDER BY 1"
MINUTE = 60


@pytest.fixture(autouse=True)
def _learners(engine: Engine) -> None:
    """1 has two doubtful events, 2 one that may be a clock's slip; 3 is the LMS's own."""
    insert_as_lms(engine, 3)
    events = [enrolled(1, seconds=0), enrolled(2, seconds=0), enrolled(1, seconds=90)]
    events_before = [
        completed(1, time="2014-01-01T00:07:00Z"),
        viewed(1, 1, 2, seconds=-6 * MINUTE),
        corrected(1, 1, 3, time="2014-01-01T00:07:00Z"),
        viewed(1, 1, 1, seconds=1),
        viewed(2, seconds=-5 * MINUTE),
        viewed(3, time="2014-01-01T00:07:00Z"),
    ]
    ingest(engine, entries([*events, *events_before]))
    refresh_all(engine)


def test_they_are_applied_and_counted(engine: Engine) -> None:
    assert rows(engine, COUNTED) == [(1, 2), (2, 0), (3, 0)]
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(6,)]
    assert analyze_learner(engine, 1, None, AnalysisThresholds()).doubtful_events == 2
    assert audited(engine) == []


def test_an_earlier_enrollment_told_later_clears_them(engine: Engine) -> None:
    ingest(engine, entries([enrolled(1, time="2013-01-01T00:00:00Z")]))
    refresh_all(engine)
    assert rows(engine, COUNTED)[0] == (1, 0)
    assert audited(engine) == []


def test_a_zone_that_the_lms_updates_says_nothing_of_when_it_was_made(engine: Engine) -> None:
    execute(engine, "UPDATE user_course SET timezone = 'Asia/Tokyo'")
    refresh_all(engine)
    assert rows(engine, COUNTED) == [(1, 2), (2, 0), (3, 0)]


def test_a_wrong_count_is_told_and_repaired(environment: dict[str, str], engine: Engine) -> None:
    execute(engine, "UPDATE enrollment_activity SET doubtful_events = 7 WHERE user_course_id = 1")
    told = invoke(environment, "audit").stdout.splitlines()
    assert told[0] == "enrollment_activity 1 doubtful_events: stored 7, expected 2"
    assert invoke(environment, "rebuild").exit_code == 0
    assert rows(engine, COUNTED)[0] == (1, 2)


def test_status_metrics_and_the_learner_show_them(environment: dict[str, str]) -> None:
    assert json.loads(invoke(environment, "status", "--json").stdout)["doubtful_events"] == {
        "events": 2,
        "enrollments": 1,
        "first": 1,
    }
    assert "2 events of enrollment 1: dated before" in " ".join(invoke(environment, "status").stdout.split())
    assert "progress_doubtful_events 2.0" in invoke(environment, "metrics").stdout
    assert json.loads(invoke(environment, "learner", "1", "--json").stdout)["doubtful_events"] == 2
    assert "2 events dated before the enrollment was made" in invoke(environment, "learner", "1").stdout
    assert "doubtful" not in invoke(environment, "learner", "2").stdout
    exported = invoke(environment, "report", "learner", "1", "--format=csv", "--table=headline").stdout
    figures = {row[0]: row[1] for row in csv.reader(exported.splitlines())}
    assert figures["Events before enrollment"] == "2"


def test_without_any_nothing_is_said(environment: dict[str, str], engine: Engine) -> None:
    execute(engine, "DELETE FROM user_course WHERE id = 1")
    assert "dated before" not in invoke(environment, "status").stdout
    assert "progress_doubtful_events 0.0" in invoke(environment, "metrics").stdout
