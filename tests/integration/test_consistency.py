"""No two figures of the documents on a course contradict each other, whatever has been refreshed, in any order."""

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.consistency import contradictions
from tests.support.events import entries
from tests.support.reported_class import CLASS, NOW, a_class, ago, what_followed
from tests.support.rollups import refresh_activity, refresh_all
from tests.support.tables import clear, execute, rows
from worker.analytics.course_analysis import analyze_course, analyze_course_and_class
from worker.analytics.course_overview import get_overview
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.phrases import as_mapping
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.cli import overview
from worker.progress.ingest import ingest
from worker.summary.refresh import refresh_summaries

RULES = AnalysisThresholds()

REFRESHES: dict[str, Callable[[Engine], object]] = {
    "summaries": lambda engine: refresh_summaries(engine, 500),
    "activity": lambda engine: refresh_activity(engine, 500, IDLE_CUTOFF.total_seconds()),
    "statistics": lambda engine: refresh_statistics(engine, 60, RULES),
}
EVERY_SUBSET = [*(names for count in range(4) for names in combinations(REFRESHES, count)), tuple(reversed(REFRESHES))]


def documents(engine: Engine) -> tuple[Any, Any, Any, Any]:
    """The course's analysis, overview and class list, and each learner's analysis, as JSON."""
    course, members = analyze_course_and_class(engine, 3, None, RULES)
    learners = [as_mapping(analyze_learner(engine, key, None, RULES)) for key in CLASS]
    found = (asdict(course), overview.as_mapping(get_overview(engine, 3)), asdict(members)["enrollments"], learners)
    return tuple(json.loads(json.dumps(each, default=str)) for each in found)


@pytest.fixture(params=[False, True], ids=["first", "later"])
def published(engine: Engine, request: pytest.FixtureRequest) -> Callable[[], None]:
    """Publish the class, into empty tables or onto rollups that are current."""

    def publish() -> None:
        clear(engine)
        ingest(engine, entries(a_class()))
        if request.param:
            refresh_all(engine)
            ingest(engine, entries(what_followed()))

    return publish


def test_whatever_has_been_refreshed_no_figure_contradicts_another(
    engine: Engine, published: Callable[[], None]
) -> None:
    found = {}
    for names in EVERY_SUBSET:
        published()
        for name in names:
            REFRESHES[name](engine)
        found[names] = contradictions(*documents(engine))
    assert {names: said for names, said in found.items() if said} == {}


def test_once_the_statistics_are_refreshed_nothing_is_pending(engine: Engine, published: Callable[[], None]) -> None:
    published()
    course, _, members, _ = documents(engine)
    assert course["pending"] == len([each for each in members if each["is_pending"]]) > 0
    refresh_summaries(engine, 500)
    refresh_statistics(engine, 60, RULES)  # activity first, without waiting for its own schedule
    course, _, members, learners = documents(engine)
    assert (course["pending"], [each for each in members if each["is_pending"]]) == (0, [])
    assert course["statistics"]["completed"] == len([each for each in learners if each["is_finished"]])
    assert course["as_of"] > NOW.isoformat(" ")


def test_the_class_list_says_who_needs_attention_first(engine: Engine) -> None:
    ingest(engine, entries(a_class()))
    refresh_all(engine)
    _, found = analyze_course_and_class(engine, 3, NOW, RULES)
    assert [(each.user_course_id, each.state) for each in found.enrollments] == [
        (2, "dormant"),
        (6, "not_started"),
        (7, "not_started"),
        (8, "not_started"),
        (4, "active"),
        (3, "active"),
        (1, "finished"),
        (5, "finished"),
    ]
    by_id = {each.user_course_id: each for each in found.enrollments}
    assert [(each.lesson_id, each.title) for each in by_id[3].stuck] == [(1, "Lesson (1, 1)")]
    assert (by_id[1].completed_at, by_id[1].completed_on) == (ago(58), ago(58).date())
    assert (by_id[2].last_seen_on, by_id[6].last_seen_on, by_id[4].user_id) == (ago(39).date(), None, 4)


def test_a_limited_class_list_is_the_first_of_the_whole(engine: Engine) -> None:
    ingest(engine, entries(a_class()))
    refresh_all(engine)
    _, whole = analyze_course_and_class(engine, 3, NOW, RULES)
    for limit in CLASS:
        _, first = analyze_course_and_class(engine, 3, NOW, RULES, limit=limit)
        assert first.enrollments == whole.enrollments[:limit]
        assert first.total == whole.total == len(whole.enrollments)


def test_a_mark_makes_figures_pending_up_to_its_time(engine: Engine) -> None:
    ingest(engine, entries(a_class()))
    refresh_all(engine)
    execute(
        engine, "UPDATE user_course_summary SET refreshed_at = now() - interval '2 hours' WHERE user_course_id <> 4"
    )
    execute(
        engine, "UPDATE enrollment_activity SET refreshed_at = now() - interval '2 hours' WHERE user_course_id <> 4"
    )
    mark = "INSERT INTO course_change (course_id, changed_at) VALUES (3, now() - interval '1 hour')"
    execute(engine, mark, "DELETE FROM user_course WHERE id = 8")
    found, members = analyze_course_and_class(engine, 3, None, RULES)
    assert [each.user_course_id for each in members.enrollments if each.is_pending] == [4]
    assert (found.pending, rows(engine, "SELECT min(changed_at) FROM course_change")) == (1, [(found.as_of,)])


def test_a_deleted_enrollment_is_pending_until_the_statistics_are_without_it(engine: Engine) -> None:
    ingest(engine, entries(a_class()))
    refresh_all(engine)
    execute(engine, "DELETE FROM user_course WHERE id = 8")
    found = analyze_course(engine, 3, None, RULES)
    assert found.statistics
    assert (found.statistics.enrollments, found.pending) == (8, 1)
    refresh_statistics(engine, 60, RULES)
    assert analyze_course(engine, 3, None, RULES).pending == 0
