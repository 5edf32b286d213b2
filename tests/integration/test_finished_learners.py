"""Who has completed the course is finished: not dormant, not stuck, and nobody foresees when it will be completed."""

import json
from collections.abc import Iterable
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, corrected, enrolled, entries, outlined, viewed
from tests.support.learners import NOW, ago
from tests.support.rollups import refresh_all
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.settings import Settings

LONG_AGO = ago(days=60)
COURSE = outlined(3, [(1, 1), (1, 2)], time=ago(days=70))
FINISHED: list[Event] = [
    enrolled(1, time=ago(days=70)),
    *(viewed(1, 1, 2, time=ago(days=60 + day)) for day in (1, 2, 3)),
    completed(1, 1, 1, time=LONG_AGO),
    completed(1, 1, 2, time=LONG_AGO),
]
LEFT: list[Event] = [enrolled(2, time=ago(days=70)), completed(2, 1, 1, time=LONG_AGO)]
RULES = AnalysisThresholds()


def dormant(engine: Engine, events: Iterable[Event]) -> list[int]:
    """Those in the list of the course, which agrees with its count and with each learner's own analysis."""
    ingest(engine, entries(events))
    refresh_all(engine)
    found = analyze_course(engine, 3, NOW, RULES)
    ids = [each.user_course_id for each in found.dormant]
    assert found.dormant_learners == len(ids)
    assert [key for key in (1, 2) if analyze_learner(engine, key, NOW, RULES).is_dormant] == ids
    return ids


def test_who_completed_the_course_is_finished_and_not_dormant(engine: Engine) -> None:
    assert dormant(engine, [COURSE, *FINISHED, *LEFT]) == [2]
    learner = analyze_learner(engine, 1, NOW, RULES)
    assert (learner.stuck, learner.projection.state) == ([], "finished")
    assert (learner.is_finished, learner.completed_at, learner.completed_on) == (True, LONG_AGO, LONG_AGO.date())
    assert [each.stopped for each in analyze_course(engine, 3, NOW, RULES).lessons] == [0, 0]


@pytest.mark.parametrize(
    "change",
    [
        outlined(3, [(1, 1), (1, 2), (1, 3)], time=ago(days=1)),
        outlined(3, [], time=ago(days=1)),
        corrected(1, 1, 2, time=ago(days=1), status="in_progress"),
    ],
    ids=["one more lesson", "no lesson", "a correction"],
)
def test_who_has_something_to_complete_again_is_dormant_again(engine: Engine, change: Event) -> None:
    assert dormant(engine, [COURSE, *FINISHED, *LEFT]) == [2]
    assert dormant(engine, [change]) == [1, 2]


def test_without_an_outline_nobody_is_finished(engine: Engine) -> None:
    assert dormant(engine, [*FINISHED, *LEFT]) == [1, 2]


def test_a_summary_of_another_course_says_nothing_of_this_one(engine: Engine) -> None:
    ingest(engine, entries([COURSE, *FINISHED, *LEFT, outlined(4, [(9, 9)], time=ago(days=70))]))
    refresh_all(engine)
    ingest(engine, entries([enrolled(1, course_id=4, time=ago(days=1))]))
    found = analyze_course(engine, 4, NOW, RULES)
    assert (found.dormant, found.pending) == ([], 1)
    refresh_all(engine)
    found = analyze_course(engine, 4, NOW, RULES)
    assert [(each.user_course_id, each.completion_percentage) for each in found.dormant] == [(1, Decimal(0))]


def test_no_face_lists_who_is_finished(engine: Engine, environment: dict[str, str], settings: Settings) -> None:
    ingest(engine, entries([COURSE, *FINISHED, *LEFT]))
    refresh_all(engine)
    table = invoke(environment, "report", "course", "3", "--format", "csv", "--table", "dormant").stdout
    assert [line.partition(",")[0] for line in table.splitlines()] == ["user_course_id", "2"]
    assert "dormant" not in invoke(environment, "learner", "1").stdout
    with served(settings) as api:
        found = api.get("/analytics/course/3").json()
        assert (found["dormant_learners"], [each["user_course_id"] for each in found["dormant"]]) == (1, [2])
        assert json.loads(api.get("/analytics/learner/1").text)["is_dormant"] is False
        assert "Dormant learners,1,count" in api.get("/reports/course/3/headline.csv").text
