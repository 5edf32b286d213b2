"""A report's tables hold what the analysis says, under names that say the unit."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.reports import AS_OF, NOTHING, course, empty_course, learner, new_learner
from worker.errors import NotFoundError
from worker.reports.course_report import COURSE_TABLES, course_report
from worker.reports.learner_report import LEARNER_TABLES, learner_report
from worker.reports.table import Kind, Report

REPORTS = [
    course_report(course()),
    course_report(empty_course()),
    learner_report(learner()),
    learner_report(new_learner()),
]


def column(report: Report, table: str, name: str) -> list[Any]:
    return [record[name] for record in report.table(table).records()]


@pytest.mark.parametrize("report", REPORTS)
def test_every_table_is_there_and_its_rows_are_as_wide_as_its_columns(report: Report) -> None:
    names = {"course": COURSE_TABLES, "learner": LEARNER_TABLES}[report.subject]
    assert tuple(table.name for table in report.tables) == names
    for table in report.tables:
        assert table.description.endswith(".")
        assert {len(record) for record in table.records()} <= {len(table.columns)}


@pytest.mark.parametrize("report", REPORTS)
def test_the_unit_is_in_the_columns_name(report: Report) -> None:
    endings = {
        Kind.SECONDS: "_seconds",
        Kind.DAYS: "_days",
        Kind.RATIO: "_ratio",
        Kind.PERCENT: "_percent",
        Kind.TIME: "_at",
    }
    for table in report.tables:
        for column in table.columns:
            assert column.name.endswith(endings.get(column.kind, ""))


def test_a_lessons_row_says_what_the_analysis_does() -> None:
    found = course()
    fourth, report = found.lessons[3], course_report(found)
    lesson = report.table("lessons").records()[3]
    of, difficulty = fourth.statistics, fourth.difficulty
    assert difficulty
    assert lesson == {
        "no": 4,
        "topic_id": fourth.topic_id,
        "lesson_id": fourth.lesson_id,
        "title": fourth.title,
        "enrollments": of.enrollments,
        "started": of.started,
        "completed": of.completed,
        "completion_rate_percent": of.completion_rate,
        "median_days": fourth.median_days,
        "median_seconds": fourth.median_seconds,
        "median_visits_to_complete": fourth.median_visits_to_complete,
        "difficulty": difficulty.value,
        "difficulty_learners": difficulty.learners,
        "last_activity_at": AS_OF,
    }
    blocker = report.table("blockers").records()[3]
    assert (blocker["stopped"], blocker["drop_off_ratio"], blocker["stuck"], blocker["is_blocker"]) == (
        fourth.stopped,
        fourth.drop_off,
        fourth.stuck,
        fourth.is_blocker,
    )
    spent = report.table("time-spent").records()[3]
    assert spent["measured_ratio"] == fourth.spent.measured_seconds / fourth.spent.seconds
    assert (spent["spent_seconds"], spent["median_seconds"]) == (fourth.spent.seconds, fourth.median_seconds)


def test_what_is_not_known_is_none_and_divides_by_nothing() -> None:
    bare = replace(course().lessons[0], spent=NOTHING, difficulty=None, drop_off=None, title=None)
    report = course_report(replace(course(), lessons=[bare]))
    assert column(report, "time-spent", "measured_ratio") == [None]
    assert column(report, "lessons", "difficulty") == [None]
    empty = {row["figure"]: row["value"] for row in course_report(empty_course()).table("headline").records()}
    assert (empty["Enrollments"], empty["Mean session"], empty["Measured time"]) == (None, None, None)


def test_the_week_has_168_hours_or_none() -> None:
    found = course()
    hours = course_report(found).table("hours").records()
    assert len(hours) == 168
    assert hours[24 * 2 + 15] == {"weekday": "Wednesday", "hour": 15, "events": found.events_by_weekday[2][15]}
    assert course_report(empty_course()).table("hours").rows == []


def test_a_recommendation_has_the_title_of_a_lesson_that_was_visited() -> None:
    report = learner_report(learner(title="Fractions"))
    assert column(report, "stuck", "title") == ["Fractions 3.4"]
    assert column(report, "recommendations", "title") == [None, "Fractions 1.2"]


def test_a_table_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(NotFoundError, match="no table 'grades'; it has headline, learners, lessons"):
        course_report(course()).table("grades")
