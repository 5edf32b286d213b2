"""What a page says of weeks, of a course's and of one learner's."""

from dataclasses import replace
from datetime import date, timedelta

from tests.support.reports import NOTHING, course, learner
from worker.analytics.analysis import Week, WeekTime
from worker.reports.course_report import course_report
from worker.reports.learner_report import learner_report
from worker.reports.page import sections
from worker.reports.table import Report

MONDAY = date(2025, 6, 2)


def headline(report: Report) -> str:
    (found,) = (each.headline for each in sections(report)[0] if each.table.name == "weeks")
    return found


def of_learner(*completed: int) -> Report:
    weeks = [WeekTime(MONDAY + timedelta(weeks=number), each, NOTHING, 1) for number, each in enumerate(completed)]
    return learner_report(replace(learner(), weeks=weeks))


def of_course(*completed: int) -> Report:
    weeks = [Week(MONDAY + timedelta(weeks=number), each, 7, NOTHING) for number, each in enumerate(completed)]
    return course_report(replace(course(), weeks=weeks))


def test_the_pace_is_that_of_this_week_and_of_the_best_week() -> None:
    pace = "Since Monday, 30 Jun 2025: 4 lessons completed. The best week began on 2 Jun 2025: 9 lessons"
    assert headline(of_learner(9, 1, 4, 1, 4)) == f"{pace}."
    assert headline(of_course(9, 1, 4, 1, 4)) == f"{pace} by 7 active learners."


def test_one_week_is_one_week() -> None:
    assert headline(of_learner(1)) == (
        "Since Monday, 2 Jun 2025: 1 lesson completed. The best week began on 2 Jun 2025: 1 lesson."
    )


def test_of_several_best_weeks_none_is_the_best() -> None:
    assert (
        headline(of_learner(9, 1, 9))
        == headline(of_course(9, 1, 9))
        == ("Since Monday, 16 Jun 2025: 9 lessons completed. The best weeks had 9 lessons each.")
    )


def test_where_nothing_was_completed_no_week_is_the_best() -> None:
    assert headline(of_learner(0, 0)) == headline(of_course(0, 0)) == "No lesson was completed in these weeks."
    assert [each.table.name for made in (of_learner(), of_course()) for each in sections(made)[0]].count("weeks") == 0
