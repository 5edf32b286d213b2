"""The tables of a learner's report."""

from worker.analytics.analysis import LearnerAnalysis
from worker.analytics.phrases import lesson_phrase, projection_phrase
from worker.reports.hours_table import hours_table
from worker.reports.table import HEADLINE, LESSON, SPENT, Column, Kind, Report, Table, Value

LEARNER_TABLES = ("headline", "recommendations", "stuck", "lessons", "weeks", "days", "hours", "topics", "achievements")
"""Their names, in order."""

_REASON = Column("reason", "Why", Kind.TEXT)


def learner_report(found: LearnerAnalysis) -> Report:
    """The report on an analysis of an enrollment."""
    tables = [
        _headline(found),
        _recommendations(found),
        _stuck(found),
        _lessons(found),
        _weeks(found),
        _days(found),
        hours_table(found.events_by_weekday),
        _topics(found),
        _achievements(found),
    ]
    return Report("learner", found.user_course_id, found.as_of, tables)


def _headline(found: LearnerAnalysis) -> Table:
    spent, foreseen = found.spent, found.projection
    mean = found.session_seconds / found.sessions if found.session_seconds else None
    activity: list[tuple[str, Value, Kind]] = [
        ("Lessons visited", len(found.lessons), Kind.COUNT),
        ("Time spent", spent.seconds, Kind.SECONDS),
        ("Time spent that is measured", spent.measured_seconds / spent.seconds if spent.seconds else None, Kind.RATIO),
        ("Sessions", found.sessions, Kind.COUNT),
        ("Mean session", mean, Kind.SECONDS),
        ("Days in a row now", found.streaks.current, Kind.COUNT),
        ("Most days in a row", found.streaks.longest, Kind.COUNT),
        ("Last seen", found.last_seen_on, Kind.DATE),
        ("Dormant", found.is_dormant, Kind.FLAG),
        ("Events before the enrollment was made", found.doubtful_events, Kind.COUNT),
    ]
    rows: list[tuple[str, Value, Kind]] = [
        ("Course", found.course_id, Kind.ID),
        ("Completed", found.completion_percentage, Kind.PERCENT),
        ("Lessons completed", found.completed_lessons, Kind.COUNT),
        ("Lessons in all", found.total_lessons, Kind.COUNT),
        ("Lessons in all are known", found.total_is_known, Kind.FLAG),
        *((figure, value if found.as_of else None, kind) for figure, value, kind in activity),
        ("Lessons a week, last 28 days", found.velocity.recent, Kind.NUMBER),
        ("Lessons a week, overall", found.velocity.overall, Kind.NUMBER),
        ("Foreseen completion", foreseen.completed_on if foreseen else None, Kind.DATE),
        ("How it is foreseen", projection_phrase(foreseen) if foreseen else None, Kind.TEXT),
    ]
    return Table(
        "headline",
        "Headline figures",
        "The enrollment in all. Days in a row are days with any activity; the completion is foreseen from the pace. "
        "Without an outline the lessons in all are those with a row so far, and their number is not known.",
        HEADLINE,
        [(figure, value, kind.value) for figure, value, kind in rows],
    )


def _recommendations(found: LearnerAnalysis) -> Table:
    return Table(
        "recommendations",
        "What to do next",
        "The next lesson, then completed ones worth a second look: hurried through, or visited again and again since.",
        (Column("kind", "What", Kind.CODE), *LESSON, _REASON),
        [
            (each.kind.value, each.topic_id, each.lesson_id, each.title, lesson_phrase(each))
            for each in found.recommendations
        ],
    )


def _stuck(found: LearnerAnalysis) -> Table:
    return Table(
        "stuck",
        "Where it is stuck",
        "Lessons in progress that were visited often or for long, while nothing later was completed.",
        (*LESSON, _REASON),
        [(each.topic_id, each.lesson_id, each.title, lesson_phrase(each)) for each in found.stuck],
    )


def _lessons(found: LearnerAnalysis) -> Table:
    return Table(
        "lessons",
        "Lessons visited",
        "Time spent in each lesson, and visits: an event begins one if it comes long enough after the last. Visits to "
        "complete are those begun up to the completion.",
        (
            *LESSON,
            Column("status", "Status", Kind.CODE),
            *SPENT,
            Column("visits", "Visits", Kind.COUNT),
            Column("visits_to_complete", "Visits to complete", Kind.COUNT),
            Column("first_visit_at", "First visit", Kind.TIME),
            Column("last_visit_at", "Last visit", Kind.TIME),
        ),
        [
            (
                each.topic_id,
                each.lesson_id,
                each.title,
                each.status.value,
                each.spent.seconds,
                each.spent.measured_seconds,
                each.visits,
                each.visits_to_complete,
                each.first_visit_at,
                each.last_visit_at,
            )
            for each in found.lessons
        ],
    )


def _weeks(found: LearnerAnalysis) -> Table:
    return Table(
        "weeks",
        "Week by week",
        "Lessons of the course completed, events and time spent in each week, Monday to Sunday where the learner is; "
        "at most the last 104.",
        (
            Column("monday", "Week from", Kind.DATE),
            Column("completed", "Lessons completed", Kind.COUNT),
            Column("events", "Events", Kind.COUNT),
            *SPENT,
        ),
        [
            (each.monday, each.completed, each.events, each.spent.seconds, each.spent.measured_seconds)
            for each in found.weeks
        ],
    )


def _days(found: LearnerAnalysis) -> Table:
    return Table(
        "days",
        "Day by day",
        "Events and time spent on each of the last 28 days, midnight to midnight where the learner is.",
        (Column("day", "Day", Kind.DATE), Column("events", "Events", Kind.COUNT), *SPENT),
        [(each.day, each.events, each.spent.seconds, each.spent.measured_seconds) for each in found.days],
    )


def _topics(found: LearnerAnalysis) -> Table:
    return Table(
        "topics",
        "Time spent by topic",
        "The time in any lesson of the topic; no moment counts twice. Measured is what events told; the rest is "
        "estimated from the time to the next event.",
        (LESSON[0], *SPENT),
        [(each.topic_id, each.spent.seconds, each.spent.measured_seconds) for each in found.topics],
    )


def _achievements(found: LearnerAnalysis) -> Table:
    return Table(
        "achievements",
        "Achievements",
        "The first lesson, topics, the course, and streaks of 7 and 30 days, as the whole history has them now.",
        (
            Column("kind", "What", Kind.CODE),
            LESSON[0],
            Column("earned_on", "Earned on", Kind.DATE),
            Column("earned_at", "Earned at", Kind.TIME),
        ),
        [(each.kind.value, each.topic_id, each.earned_on, each.earned_at) for each in found.achievements],
    )
