"""Nobody is shown as having done all before that is so, nor as having done nothing: 20,000 of 20,001 is below 100 %."""

import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import enrolled, entries, outlined
from tests.support.rollups import refresh_all
from tests.support.tables import execute, rows
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.read import get_summary

ALL = 20_001


def course_of_many(engine: Engine, done: int) -> None:
    """Course 3 of 20,001 lessons, of which enrollment 1 has completed so many."""
    ingest(engine, entries([outlined(3, [(1, number) for number in range(1, ALL + 1)]), enrolled(1)]))
    execute(
        engine,
        f"""
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status)
        SELECT 1, 1, number, 'completed' FROM generate_series(1, {done}) AS number
        """,
        "ANALYZE user_course_progress, course_lesson",  # as autovacuum does in time
    )


@pytest.mark.parametrize(("done", "percent"), [pytest.param(ALL - 1, 99.99, marks=pytest.mark.second_tier), (1, 0.01)])
def test_a_learner_of_very_many_lessons_is_neither_finished_nor_at_the_beginning(
    engine: Engine, environment: dict[str, str], settings: Settings, done: int, percent: float
) -> None:
    course_of_many(engine, done)
    assert float(get_summary(engine, 1).summary.completion_percentage) == percent, "computed"
    refresh_all(engine)
    assert float(get_summary(engine, 1).summary.completion_percentage) == percent, "stored"
    analysis = analyze_learner(engine, 1, None, AnalysisThresholds())
    assert analysis.completion_percentage == Decimal(str(percent))
    assert "course" not in {each.kind for each in analysis.achievements}
    assert f"{done} of {ALL} ({percent} %)" in invoke(environment, "summary", "1").stdout
    with served(settings) as api:
        for path in ("/progress/course/1/summary", "/progress/course/1/topic/1", "/analytics/learner/1"):
            assert api.get(path).json()["completion_percentage"] == percent
        page = api.get("/reports/learner/1").text.replace("\N{NO-BREAK SPACE}", " ")
        assert f"<dt>Completed</dt><dd>&{'gt; 99' if percent > 50 else 'lt; 1'} %<" in page
        assert f"Completed,{percent},percent" in api.get("/reports/learner/1/headline.csv").text


@pytest.mark.parametrize(("share", "rate"), [(ALL - 1, 99.99), pytest.param(1, 0.01, marks=pytest.mark.second_tier)])
def test_a_course_of_very_many_learners_is_completed_by_some_and_not_by_all(
    engine: Engine, environment: dict[str, str], share: int, rate: float
) -> None:
    ingest(engine, entries([outlined(3, [(1, 1)]), enrolled(1)]))
    execute(
        engine,
        f"INSERT INTO user_course (id, user_id, course_id) SELECT n, n, 3 FROM generate_series(2, {ALL}) AS n",
        f"""
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status)
        SELECT n, 1, 1, 'completed' FROM generate_series(1, {share}) AS n
        """,
        "INSERT INTO course_change (course_id) VALUES (3)",
    )
    refresh_statistics(engine, 60, AnalysisThresholds())
    for table in ("course_statistics", "lesson_statistics"):
        assert rows(engine, f"SELECT completed, completion_rate FROM {table}") == [(share, Decimal(str(rate)))]
    assert f"({rate} %)" in invoke(environment, "overview", "3", "--limit", "1").stdout
    found: dict[str, Any] = json.loads(invoke(environment, "overview", "3", "--json", "--limit", "1").stdout)
    assert found["statistics"]["completion_rate"] == found["lessons"][0]["statistics"]["completion_rate"] == rate
