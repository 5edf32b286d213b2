"""Without an outline nobody knows all lessons of a course: the summary says so, and nobody has completed it."""

import json
import re

import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined
from tests.support.rollups import audited, refresh_all
from tests.support.tables import rows
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.rules.achievements import AchievementKind
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import CourseOutlined, Event
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.read import get_summary

EVERYTHING: list[Event] = [enrolled(1), completed(1, 1, 1, seconds=1), completed(1, 1, 2, seconds=2)]
NONE, EMPTY, WHOLE = None, outlined(3, []), outlined(3, [(1, 1), (1, 2)])


@pytest.mark.parametrize(
    ("outline", "is_known", "total", "finished"),
    [(NONE, False, 2, 0), (EMPTY, True, 0, 0), (WHOLE, True, 2, 1)],
    ids=["none", "empty", "whole"],
)
def test_a_course_is_completed_only_by_an_outline_that_has_lessons(
    engine: Engine, outline: CourseOutlined | None, is_known: bool, total: int, finished: int
) -> None:
    ingest(engine, entries([*EVERYTHING, *([outline] if outline else [])]))
    computed = get_summary(engine, 1).summary
    refresh_all(engine)
    for summary in (computed, get_summary(engine, 1).summary):
        assert (summary.total_is_known, summary.total_lessons) == (is_known, total)
        assert summary.has_completed_course is bool(finished)
    assert rows(engine, "SELECT completed FROM course_statistics") == [(finished,)]
    course = analyze_course(engine, 3, None, AnalysisThresholds())
    assert course.statistics
    assert (course.statistics.completed, course.median_days is None) == (finished, not finished)
    learner = analyze_learner(engine, 1, None, AnalysisThresholds())
    assert [each.kind for each in learner.achievements].count(AchievementKind.COURSE) == finished
    assert (learner.total_is_known, learner.is_finished) == (is_known, bool(finished))
    assert learner.projection.state == ("finished" if finished else "unknown")
    assert audited(engine) == []


@pytest.mark.parametrize("is_known", [True, False])
def test_every_face_of_a_summary_says_whether_the_total_is_known(
    engine: Engine, environment: dict[str, str], settings: Settings, is_known: bool
) -> None:
    ingest(engine, entries([*EVERYTHING, *[WHOLE] * is_known]))
    refresh_all(engine)
    found = [
        json.loads(invoke(environment, "summary", "1", "--json").stdout),
        json.loads(invoke(environment, "learner", "1", "--json").stdout),
        *json.loads(invoke(environment, "overview", "3", "--json").stdout)["learners"],
    ]
    with served(settings) as api:
        paths = ("/progress/course/1/summary", "/progress/course/1/topic/1", "/analytics/learner/1")
        found += [api.get(path).json() for path in paths]
        assert api.get("/analytics/course/3").json()["total_is_known"] is is_known
        assert f"Outline is known,{str(is_known).lower()}" in api.get("/reports/course/3/headline.csv").text
        csv, page = api.get("/reports/learner/1/headline.csv").text, api.get("/reports/learner/1").text
    assert [each["total_is_known"] for each in found] == [is_known] * 6
    assert [each["completion_percentage"] for each in found] == [100] * 6
    assert f"Outline is known,{str(is_known).lower()},flag" in csv
    assert re.search(rf"Outline is known</dt><dd>{'yes' if is_known else 'no'}<", page)
    for command in ("summary", "learner"):
        shown = invoke(environment, command, "1").stdout
        assert ("known so far: the course has no outline" in shown) is not is_known
    assert ("2 of ?" in invoke(environment, "overview", "3").stdout) is not is_known
