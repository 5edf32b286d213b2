"""Where a learner goes on, the same on every face: the lesson that is current while it is open, else the next open."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import execute, rows
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.phrases import lesson_phrase
from worker.analytics.rules.recommendations import RecommendationKind
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.next_lesson import NextLesson, NextReason
from worker.summary.read import get_summary

TEN: list[Event] = [outlined(3, [(1, number, f"Lesson {number}") for number in range(1, 11)]), enrolled(1)]
FIVE: list[Event] = [completed(1, 1, number, seconds=60 * number) for number in range(1, 6)]
OPENED: list[Event] = [*TEN, *FIVE[:3], viewed(1, 1, 4, seconds=900, section_id=2)]
RESET: list[Event] = [*TEN, *FIVE, *(corrected(1, 1, number, seconds=9_000) for number in range(1, 6))]
PLACE = ("current_topic_id", "current_lesson_id", "current_section_id")
NEXT = ("next_topic_id", "next_lesson_id", "next_reason")


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def record(engine: Engine, events: list[Event], *, stored: bool = True) -> None:
    ingest(engine, entries(events))
    if stored:
        refresh_all(engine)


def recommended(engine: Engine) -> list[tuple[int, int, str]]:
    found = analyze_learner(engine, 1, None, AnalysisThresholds()).recommendations
    return [
        (each.topic_id, each.lesson_id, lesson_phrase(each)) for each in found if each.kind is RecommendationKind.NEXT
    ]


def members(found: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    return [found[name] for name in names]


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
@pytest.mark.parametrize("has_outline", [True, False])
def test_who_opened_a_lesson_goes_on_with_it(engine: Engine, stored: bool, has_outline: bool) -> None:
    record(engine, OPENED if has_outline else OPENED[1:], stored=stored)
    summary = get_summary(engine, 1).summary
    assert summary.following == NextLesson(1, 4, NextReason.CURRENT)
    assert recommended(engine) == [(1, 4, "go on with the current lesson")]


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_the_lesson_after_the_current_one_comes_when_that_is_completed_or_left_the_outline(
    engine: Engine, stored: bool
) -> None:
    record(engine, [*OPENED, completed(1, 1, 4, seconds=999)], stored=stored)
    assert get_summary(engine, 1).summary.following == NextLesson(1, 5, NextReason.AFTER_CURRENT)
    record(engine, [viewed(1, 1, 7, seconds=1_000), outlined(3, [(1, 1), (1, 9), (1, 8)], seconds=1)], stored=stored)
    assert get_summary(engine, 1).summary.following == NextLesson(1, 9, NextReason.NOT_COMPLETED)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_who_was_taken_back_to_nothing_begins_at_the_beginning(
    engine: Engine, environment: dict[str, str], api: httpx.Client, stored: bool
) -> None:
    record(engine, RESET, stored=stored)
    found = [
        json.loads(invoke(environment, "summary", "1", "--json").stdout),
        json.loads(invoke(environment, "overview", "3", "--json").stdout)["learners"][0],
        api.get("/progress/course/1/summary").json(),
    ]
    for face in found:
        assert members(face, PLACE) == [None] * 3
        assert members(face, NEXT) == [1, 1, "not_completed"]
        assert face["last_activity_at"] == at(300).isoformat().replace("+00:00", "Z")
    assert recommended(engine) == [(1, 1, "first not completed of the course")]
    assert rows(engine, "SELECT current_topic, current_lesson FROM user_course") == [(1, 5)], "it never moves back"


def test_who_was_taken_back_without_an_outline_begins_at_the_first_row(engine: Engine) -> None:
    for stored in (False, True):
        record(engine, RESET[1:], stored=stored)
        assert get_summary(engine, 1).summary.following == NextLesson(1, 1, NextReason.NOT_COMPLETED)


def test_who_was_taken_back_has_stopped_nowhere(engine: Engine) -> None:
    record(engine, [*RESET, enrolled(2), viewed(2, 1, 1)])
    assert [each.stopped for each in analyze_course(engine, 3, None, AnalysisThresholds()).lessons] == [1] + [0] * 9


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "computed"])
def test_a_place_that_an_lms_set_to_a_lesson_without_a_row_counts_as_none(engine: Engine, stored: bool) -> None:
    record(engine, [*TEN, *(corrected(1, 1, number, status="completed") for number in (1, 2))])
    execute(engine, "UPDATE user_course SET current_topic = 1, current_lesson = 7")
    record(engine, [], stored=stored)
    summary = get_summary(engine, 1).summary
    assert (summary.current_lesson_id, summary.following) == (None, NextLesson(1, 3, NextReason.NOT_COMPLETED))


def test_people_are_told_why_in_words(engine: Engine, environment: dict[str, str]) -> None:
    record(engine, OPENED)
    assert "topic 1, lesson 4: Lesson 4 (go on with the current lesson)" in invoke(environment, "summary", "1").stdout
