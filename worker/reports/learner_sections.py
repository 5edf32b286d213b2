"""The headline sentences and pictures of a learner's page."""

from collections.abc import Sequence

from worker.analytics.analysis import DayTime, TopicTime, VisitedLesson
from worker.analytics.phrases import lesson_phrase
from worker.analytics.rules.recommendations import Recommendation, RecommendationKind
from worker.analytics.rules.stuck import Stuck
from worker.contract.progress_status import ProgressStatus
from worker.formatting import counted
from worker.reports.chart import Columns, Part, bars, columns
from worker.reports.formatting import lesson_name, shown
from worker.reports.heatmap import hour_grid
from worker.reports.hours import NO_VISIT, busiest_hours
from worker.reports.learner_report import EVENTS, WEEK_COMPLETED
from worker.reports.outstanding import outstanding
from worker.reports.section import MAX_ROWS, Plan, Plans
from worker.reports.table import Kind
from worker.reports.time_spent import TIME, has_no_time, no_more_than, time_by_lesson
from worker.reports.weeks import by_week, pace


def _recommendations_headline(recommendations: Sequence[Recommendation]) -> str:
    first = recommendations[0]
    what = "Next is" if first.kind is RecommendationKind.NEXT else "Look again at"
    return f"{what} {lesson_name(first)}: {lesson_phrase(first)}."


def _stuck_headline(stuck: Sequence[Stuck]) -> str:
    first, more = stuck[0], len(stuck) - 1
    others = f", and on {counted(more, 'other')}" if more else ""
    return f"Stuck on {lesson_name(first)}{others}: {lesson_phrase(first)}."


def _lessons_headline(lessons: Sequence[VisitedLesson]) -> str:
    completed = sum(lesson.status is ProgressStatus.COMPLETED for lesson in lessons)
    said = f"{completed:,} of {counted(len(lessons), 'visited lesson')} completed."
    most = outstanding(lessons, lambda lesson: lesson.visits)
    return f"{said} Visited most: {lesson_name(most)}, {counted(most.visits, 'time')}." if most else said


def _days_headline(days: Sequence[DayTime]) -> str:
    active = sum(bool(day.events) for day in days)
    seconds = sum(day.spent.seconds for day in days)
    return f"Active on {active} of the last {counted(len(days), 'day')}; time spent: {shown(seconds, Kind.SECONDS)}."


def _has_nothing(days: Sequence[DayTime]) -> bool:
    return has_no_time(days) and not any(day.events for day in days)


def _by_day(days: Sequence[DayTime], title: str, *parts: Part[DayTime]) -> Columns | None:
    return columns(
        days,
        title,
        *parts,
        name=lambda each: f"{each.day:%A}, {shown(each.day, Kind.DATE)}",
        labels=lambda each: f"{each.day.day} {each.day:%b}" if each.day.weekday() == 0 else "",
        axis="Days; Mondays have their date",
        room=12,
        last_label="today",
    )


def _topics_headline(topics: Sequence[TopicTime]) -> str:
    longest = outstanding(topics, lambda topic: topic.spent.seconds)
    if longest is None:
        return f"No topic took the most time: {no_more_than(topics)}."
    return f"Most time went into topic {longest.topic_id}: {shown(longest.spent.seconds, Kind.SECONDS)}."


LEARNER_PLANS: Plans = {
    "recommendations": Plan(_recommendations_headline, empty="Nothing to recommend.", open_rows=MAX_ROWS),
    "stuck": Plan(_stuck_headline, empty="Not stuck on any lesson.", open_rows=MAX_ROWS),
    "weeks": Plan(
        pace,
        (
            lambda weeks: by_week(weeks, "Lessons completed", Part("completed", WEEK_COMPLETED)),
            lambda weeks: by_week(weeks, "Time spent", *TIME),
        ),
        NO_VISIT,
    ),
    "days": Plan(
        _days_headline,
        (
            lambda days: _by_day(days, "Time spent", *TIME),
            lambda days: _by_day(days, "Events", Part("events", EVENTS)),
        ),
        "Nothing happened in the last 28 days.",
        is_empty=_has_nothing,
    ),
    "hours": Plan(busiest_hours, (hour_grid,), NO_VISIT),
    "lessons": Plan(_lessons_headline, (time_by_lesson,), NO_VISIT),
    "topics": Plan(
        _topics_headline,
        (lambda topics: bars(topics, "Time spent by topic", *TIME, name=lambda topic: f"Topic {topic.topic_id}"),),
        "No time spent is known yet.",
        is_empty=has_no_time,
    ),
    "achievements": Plan(
        lambda achievements: f"{counted(len(achievements), 'achievement')} so far.",
        empty="No achievements yet.",
        open_rows=MAX_ROWS,
    ),
}
