"""The tables of a learner's report."""

from worker.analytics.analysis import DayTime, LearnerAnalysis, TopicTime, VisitedLesson, WeekTime
from worker.analytics.phrases import lesson_phrase, projection_phrase
from worker.analytics.rules.achievements import Achievement
from worker.analytics.rules.recommendations import Recommendation
from worker.analytics.rules.stuck import Stuck
from worker.analytics.rules.velocity import ProjectionState
from worker.reports.hours import hours_table
from worker.reports.table import (
    HEADLINE,
    KNOWN_SO_FAR,
    LESSON,
    SPENT,
    Column,
    Figure,
    Kind,
    Report,
    Table,
    session_figures,
)

LEARNER_TABLES = ("headline", "recommendations", "stuck", "lessons", "weeks", "days", "hours", "topics", "achievements")
"""Their names, in order."""

WEEK_COMPLETED: Column[WeekTime] = Column("completed", "Lessons completed", Kind.COUNT, lambda week: week.completed)
EVENTS: Column[DayTime | WeekTime] = Column("events", "Events", Kind.COUNT, lambda row: row.events)
_TOPIC: Column[TopicTime | Achievement] = Column("topic_id", "Topic", Kind.ID, lambda row: row.topic_id)
_REASON: Column[Recommendation | Stuck] = Column("reason", "Why", Kind.TEXT, lesson_phrase)


def learner_report(found: LearnerAnalysis) -> Report:
    """Return the report on an enrollment's analysis."""
    tables = (
        _headline(found),
        _recommendations(found),
        _stuck(found),
        _lessons(found),
        _weeks(found),
        _days(found),
        hours_table(found.events_by_weekday),
        _topics(found),
        _achievements(found),
    )
    return Report("learner", found.user_course_id, found.as_of, tables, found.pending, found.course_id)


def _headline(found: LearnerAnalysis) -> Table[Figure]:
    caveat = "" if found.total_is_known else KNOWN_SO_FAR
    basis = projection_phrase(found.projection) if found.projection.state is ProjectionState.PROJECTED else None
    last_seen, *activity = (
        each if found.as_of else each._replace(value=None)
        for each in (
            Figure("Last seen", found.last_seen_on, Kind.DATE),
            Figure("Lessons visited", len(found.lessons), Kind.COUNT, "Activity"),
            Figure("Current streak, days", found.streaks.current, Kind.COUNT, "Activity"),
            Figure("Longest streak, days", found.streaks.longest, Kind.COUNT, "Activity"),
            Figure("Dormant", found.is_dormant, Kind.FLAG, "Activity"),
            Figure("Events before enrollment", found.doubtful_events, Kind.COUNT, "Activity"),
            *session_figures(found),
        )
    )
    return Table(
        "headline",
        "Headline figures",
        "The enrollment as a whole. A streak counts days with any activity; the completion is projected from the pace. "
        "Without an outline, the lessons in total are those with a row so far.",
        HEADLINE,
        [
            Figure("Completed", found.completion_percentage, Kind.PERCENT, caveat=caveat),
            Figure("Lessons completed", found.completed_lessons, Kind.COUNT),
            last_seen,
            _completion(found),
            Figure("Course", found.course_id, Kind.ID, "Progress"),
            Figure("Lessons in total", found.total_lessons, Kind.COUNT, "Progress"),
            Figure("Outline is known", found.total_is_known, Kind.FLAG, "Progress"),
            *activity,
            Figure("Lessons a week, last 28 days", found.velocity.recent, Kind.NUMBER, "Pace"),
            Figure("Lessons a week, overall", found.velocity.overall, Kind.NUMBER, "Pace"),
            Figure("Basis of projection", basis, Kind.TEXT, "Pace"),
        ],
    )


def _completion(found: LearnerAnalysis) -> Figure:
    """Return the date of completion: past, projected, or why there is none."""
    if found.is_finished:
        return Figure("Completed on", found.completed_on, Kind.DATE)
    if found.projection.completed_on:
        return Figure("Projected completion", found.projection.completed_on, Kind.DATE)
    return Figure("Projected completion", projection_phrase(found.projection), Kind.TEXT)


def _recommendations(found: LearnerAnalysis) -> Table[Recommendation]:
    return Table(
        "recommendations",
        "What to do next",
        "The next lesson, then completed ones worth a second look because they were rushed or often revisited.",
        (Column("kind", "What", Kind.CODE, lambda each: each.kind.value), *LESSON, _REASON),
        found.recommendations,
    )


def _stuck(found: LearnerAnalysis) -> Table[Stuck]:
    return Table(
        "stuck",
        "Where the learner is stuck",
        "Lessons in progress with many visits or much time, while no later lesson was completed.",
        (*LESSON, _REASON),
        found.stuck,
    )


def _lessons(found: LearnerAnalysis) -> Table[VisitedLesson]:
    return Table(
        "lessons",
        "Lessons visited",
        "Time spent and visits by lesson. A visit begins with an event that follows a long enough pause. Visits to "
        "complete are those begun by the time of completion.",
        (
            *LESSON,
            Column("status", "Status", Kind.CODE, lambda lesson: lesson.status.value),
            *SPENT,
            Column("visits", "Visits", Kind.COUNT, lambda lesson: lesson.visits),
            Column("visits_to_complete", "Visits to complete", Kind.COUNT, lambda lesson: lesson.visits_to_complete),
            Column("first_visit_at", "First visit", Kind.TIME, lambda lesson: lesson.first_visit_at),
            Column("last_visit_at", "Last visit", Kind.TIME, lambda lesson: lesson.last_visit_at),
        ),
        found.lessons,
    )


def _weeks(found: LearnerAnalysis) -> Table[WeekTime]:
    return Table(
        "weeks",
        "Week by week",
        "Lessons of the course completed, events and time spent in each week, Monday to Sunday in the learner's local "
        "time; at most the last 104.",
        (Column("monday", "Week from", Kind.DATE, lambda week: week.monday), WEEK_COMPLETED, EVENTS, *SPENT),
        found.weeks,
    )


def _days(found: LearnerAnalysis) -> Table[DayTime]:
    return Table(
        "days",
        "Day by day",
        "Events and time spent on each of the last 28 days, midnight to midnight in the learner's local time.",
        (Column("day", "Day", Kind.DATE, lambda each: each.day), EVENTS, *SPENT),
        found.days,
    )


def _topics(found: LearnerAnalysis) -> Table[TopicTime]:
    return Table(
        "topics",
        "Time spent by topic",
        "The time in any lesson of the topic; no moment counts twice. Time is measured where events report it and "
        "otherwise estimated from the gap to the next event.",
        (_TOPIC, *SPENT),
        found.topics,
    )


def _achievements(found: LearnerAnalysis) -> Table[Achievement]:
    return Table(
        "achievements",
        "Achievements",
        "The first lesson, topics, the course, and streaks of 7 and 30 days, recomputed from the whole history.",
        (
            Column("kind", "What", Kind.CODE, lambda each: each.kind.value),
            _TOPIC,
            Column("earned_on", "Earned on", Kind.DATE, lambda each: each.earned_on),
            Column("earned_at", "Earned at", Kind.TIME, lambda each: each.earned_at),
        ),
        found.achievements,
    )
