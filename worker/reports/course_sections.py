"""The headline sentences and pictures of a course's page."""

from collections.abc import Sequence
from itertools import pairwise

from worker.analytics.analysis import AnalyzedLesson, DormantLearner
from worker.formatting import counted
from worker.reports.chart import Bars, Columns, Part, bars, columns
from worker.reports.class_list import class_headline
from worker.reports.course_report import COMPLETED, DROP_OFF, STARTED, WEEK_COMPLETED, WEEK_LEARNERS, lesson_numbers
from worker.reports.formatting import lesson_name, shown
from worker.reports.heatmap import drop_off_tiles, hour_grid
from worker.reports.hours import NO_VISIT, busiest_hours
from worker.reports.outstanding import outstanding
from worker.reports.section import Plan, Plans
from worker.reports.table import Kind
from worker.reports.time_spent import TIME, has_no_time, no_more_than, time_by_lesson
from worker.reports.weeks import by_week, pace

NO_PROGRESS = "No lesson of the course is in progress or completed yet."

MAX_BARS = 8
"""Lessons that a chart of bars names."""

Lessons = Sequence[AnalyzedLesson]


def _is_not_started(lessons: Lessons) -> bool:
    return not any(lesson.statistics.started for lesson in lessons)


def _funnel_headline(lessons: Lessons) -> str:
    first, last = lessons[0], lessons[-1]
    if len(lessons) == 1:
        return f"The only lesson was started by {_started(first)}."
    number = counted(len(lessons), "lesson")
    said = f"The first of {number} was started by {_started(first)}, the last by {_started(last)}."
    fall = outstanding(list(pairwise(lessons)), lambda pair: pair[0].statistics.started - pair[1].statistics.started)
    if fall is None or fall[0].statistics.started <= fall[1].statistics.started:
        return said
    before, after = fall
    return (
        f"{said} The largest fall is from {lesson_name(before)} to {lesson_name(after)}: "
        f"from {before.statistics.started:,} to {after.statistics.started:,}."
    )


def _started(lesson: AnalyzedLesson) -> str:
    return f"{lesson.statistics.started:,} of {lesson.statistics.enrollments:,}"


def _funnel(lessons: Lessons) -> Columns | None:
    numbers = lesson_numbers(lessons)
    return columns(
        lessons,
        "Learners who started and completed each lesson",
        Part("started", STARTED, is_strong=False),
        Part("completed", COMPLETED),
        name=lambda lesson: f"{numbers[lesson.topic_id, lesson.lesson_id]}. {lesson_name(lesson)}",
        labels=lambda lesson: str(lesson.topic_id),
        axis="Lessons in order; the numbers are topics",
        room=6,
        is_grouped=True,
    )


def _blockers_headline(lessons: Lessons) -> str:
    found = _worst_blockers(lessons)
    if not found:
        return "No lesson is a blocker: few learners stop at any, or too few have started it to tell."
    worst = found[0]
    rank = "most of all" if outstanding(found, lambda lesson: lesson.drop_off or 0) else "among them"
    said = "1 lesson is a blocker:" if len(found) == 1 else f"{len(found):,} lessons are blockers, {rank}"
    return (
        f"{said} {lesson_name(worst)}, which stopped {worst.stopped:,} of {worst.statistics.started:,} who started it, "
        f"{shown(worst.drop_off, Kind.RATIO)}."
    )


def _worst_blockers(lessons: Lessons) -> Lessons:
    found = [lesson for lesson in lessons if lesson.is_blocker]
    return sorted(found, key=lambda lesson: lesson.drop_off or 0, reverse=True)


def _blockers(lessons: Lessons) -> Bars | None:
    worst = _worst_blockers(lessons)[:MAX_BARS]
    return bars(worst, "The strongest blockers", Part("drop-off", DROP_OFF), name=lesson_name) if worst else None


def _time_headline(lessons: Lessons) -> str:
    longest = outstanding(lessons, lambda lesson: lesson.spent.seconds)
    if longest is None:
        return f"No lesson took the most time: {no_more_than(lessons)}."
    return (
        f"Most time went into {lesson_name(longest)}: {shown(longest.spent.seconds, Kind.SECONDS)} together, "
        f"{shown(longest.spent.measured_ratio, Kind.RATIO)} of it measured."
    )


def _longest(lessons: Lessons) -> Bars:
    longest = sorted(lessons, key=lambda lesson: lesson.spent.seconds, reverse=True)[:MAX_BARS]
    return bars(longest, "Where most time goes", *TIME, name=lesson_name)


def _dormant_headline(dormant: Sequence[DormantLearner]) -> str:
    latest = shown(dormant[0].last_seen_on, Kind.DATE)
    return f"{counted(len(dormant), 'enrollment')} in the table, last seen on {latest} or earlier."


COURSE_PLANS: Plans = {
    "learners": Plan(class_headline, empty="No enrollments yet.", open_rows=40),
    "lessons": Plan(_funnel_headline, (_funnel,), NO_PROGRESS, is_empty=_is_not_started),
    "blockers": Plan(_blockers_headline, (_blockers, drop_off_tiles), NO_PROGRESS, is_empty=_is_not_started),
    "weeks": Plan(
        lambda weeks: pace(weeks, by=lambda best: f" by {counted(best.learners, 'active learner')}"),
        (
            lambda weeks: by_week(weeks, "Lessons completed", Part("completed", WEEK_COMPLETED)),
            lambda weeks: by_week(weeks, "Active learners", Part("active", WEEK_LEARNERS)),
            lambda weeks: by_week(weeks, "Time spent", *TIME),
        ),
        NO_VISIT,
    ),
    "hours": Plan(busiest_hours, (hour_grid,), NO_VISIT),
    "time-spent": Plan(_time_headline, (_longest, time_by_lesson), "No time spent is known yet.", is_empty=has_no_time),
    "dormant": Plan(_dormant_headline, empty="No learner is dormant."),
}
