"""No sentence names a winner of a tie, or of too few events."""

from dataclasses import replace

import pytest

from tests.support.reports import NO_HOURS, course, learner
from worker.analytics.rules.activity import TimeSpent
from worker.reports.course_report import course_report
from worker.reports.hours import busiest_hours, hours_table
from worker.reports.learner_report import learner_report
from worker.reports.page import sections
from worker.reports.table import Report

ALIKE = TimeSpent(600, 600)
COURSE = course()


def headlines(report: Report) -> dict[str, str]:
    return {each.table.name: each.headline for each in sections(report)[0]}


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ({(3, 9): 1, (4, 9): 1}, "2 events: too few for a busiest day or hour."),
        ({(3, 9): 10, (4, 9): 10}, "No day is the busiest of 20 events; the busiest hour of the day begins at 9:00"),
        ({(3, 9): 10, (3, 10): 10}, "Thursday is the busiest day with 100 % of 20 events; no hour of the day is the"),
    ],
)
def test_a_day_and_an_hour_are_the_busiest_only_if_they_stand_out(
    events: dict[tuple[int, int], int], sentence: str
) -> None:
    grid = [list(hours) for hours in NO_HOURS]
    for (weekday, hour), number in events.items():
        grid[weekday][hour] = number
    assert busiest_hours(hours_table(grid).rows).startswith(sentence)


def test_lessons_alike_are_not_ranked() -> None:
    of = [replace(each.statistics, started=120 - 10 * number) for number, each in enumerate(COURSE.lessons)]
    lessons = [
        replace(each, statistics=statistics, spent=ALIKE, drop_off=0.5, is_blocker=True)
        for each, statistics in zip(COURSE.lessons, of, strict=True)
    ]
    found = headlines(course_report(replace(COURSE, lessons=lessons)))
    assert "largest fall" not in found["lessons"]
    assert found["blockers"].startswith("12 lessons are blockers, among them")
    assert found["time-spent"] == "No lesson took the most time: 12 have 10.0\N{NO-BREAK SPACE}min each."


def test_lessons_and_topics_of_a_learner_alike_are_not_ranked() -> None:
    its = learner()
    visited = [replace(each, visits=1) for each in its.lessons]
    topics = [replace(each, spent=ALIKE) for each in its.topics]
    found = headlines(learner_report(replace(its, lessons=visited, topics=topics)))
    assert found["lessons"] == "11 of 12 visited lessons completed."
    assert found["topics"] == "No topic took the most time: 3 have 10.0\N{NO-BREAK SPACE}min each."
