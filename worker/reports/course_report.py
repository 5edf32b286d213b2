"""The tables of a course's report."""

from worker.analytics.analysis import AnalyzedLesson, CourseAnalysis
from worker.reports.hours_table import hours_table
from worker.reports.table import HEADLINE, LESSON, SPENT, Column, Kind, Report, Table, Value

COURSE_TABLES = ("headline", "lessons", "blockers", "weeks", "hours", "time-spent", "dormant")
"""Their names, in order."""


def course_report(found: CourseAnalysis) -> Report:
    """The report on an analysis of a course."""
    tables = [
        _headline(found),
        _lessons(found),
        _blockers(found),
        _weeks(found),
        hours_table(found.events_by_weekday),
        _time_spent(found),
        _dormant(found),
    ]
    return Report("course", found.course_id, found.as_of, tables)


def _headline(found: CourseAnalysis) -> Table:
    of, spent = found.statistics, found.spent
    rows: list[tuple[str, Value, Kind]] = [
        ("Enrollments", of.enrollments if of else None, Kind.COUNT),
        ("Started", of.started if of else None, Kind.COUNT),
        ("Completed", of.completed if of else None, Kind.COUNT),
        ("Lessons in all are known", found.total_is_known, Kind.FLAG),
        ("Completion rate", of.completion_rate if of else None, Kind.PERCENT),
        ("Median time from start to completion", found.median_days, Kind.DAYS),
        ("Time spent", spent.seconds, Kind.SECONDS),
        ("Time spent that is measured", _share(spent.measured_seconds, spent.seconds), Kind.RATIO),
        ("Sessions", found.sessions, Kind.COUNT),
        ("Mean session", found.session_seconds / found.sessions if found.session_seconds else None, Kind.SECONDS),
        ("Blockers", sum(lesson.is_blocker for lesson in found.lessons), Kind.COUNT),
        ("Dormant learners", found.dormant_learners, Kind.COUNT),
        ("Last activity", of.last_activity_at if of else None, Kind.TIME),
    ]
    return Table(
        "headline",
        "Headline figures",
        "The course as a whole. Started is who started any of its lessons, completed who completed all of its outline; "
        "without an outline nobody has.",
        HEADLINE,
        [(figure, value, kind.value) for figure, value, kind in rows],
    )


def _lessons(found: CourseAnalysis) -> Table:
    return Table(
        "lessons",
        "From the first lesson to the last",
        "How many of the enrollments started and completed each lesson, in outline order. Medians are over those who "
        "completed it; the time to complete is from the first visit to the completion. Difficulty is 0...1 beside "
        "the course's other lessons, ½ being like the course, from median time, median visits and drop-off.",
        (
            Column("no", "No.", Kind.ID),
            *LESSON,
            Column("enrollments", "Enrollments", Kind.COUNT),
            Column("started", "Started", Kind.COUNT),
            Column("completed", "Completed", Kind.COUNT),
            Column("completion_rate_percent", "Completion rate", Kind.PERCENT),
            Column("median_days", "Median time to complete", Kind.DAYS),
            Column("median_seconds", "Median time spent", Kind.SECONDS),
            Column("median_visits_to_complete", "Median visits to complete", Kind.NUMBER),
            Column("difficulty", "Difficulty", Kind.NUMBER),
            Column("difficulty_learners", "Difficulty rests on learners", Kind.COUNT),
            Column("last_activity_at", "Last activity", Kind.TIME),
        ),
        [
            (
                number,
                *_named(each),
                each.statistics.enrollments,
                each.statistics.started,
                each.statistics.completed,
                each.statistics.completion_rate,
                each.median_days,
                each.median_seconds,
                each.median_visits_to_complete,
                each.difficulty.value if each.difficulty else None,
                each.difficulty.learners if each.difficulty else None,
                each.statistics.last_activity_at,
            )
            for number, each in enumerate(found.lessons, 1)
        ],
    )


def _blockers(found: CourseAnalysis) -> Table:
    return Table(
        "blockers",
        "Where learners stop",
        "A lesson stopped those who started it, have not completed it, and started nothing later. Drop-off is their "
        "share of those who started it; a blocker has a high one that rests on enough learners. Stuck is who tries "
        "hard and does not get on.",
        (
            *LESSON,
            Column("started", "Started", Kind.COUNT),
            Column("stopped", "Stopped", Kind.COUNT),
            Column("drop_off_ratio", "Drop-off", Kind.RATIO),
            Column("stuck", "Stuck", Kind.COUNT),
            Column("is_blocker", "Blocker", Kind.FLAG),
        ),
        [
            (*_named(each), each.statistics.started, each.stopped, each.drop_off, each.stuck, each.is_blocker)
            for each in found.lessons
        ],
    )


def _weeks(found: CourseAnalysis) -> Table:
    return Table(
        "weeks",
        "Week by week",
        "Lessons completed, learners active and time spent in each week, Monday to Sunday where the learner is.",
        (
            Column("monday", "Week from", Kind.DATE),
            Column("completed", "Lessons completed", Kind.COUNT),
            Column("learners", "Learners active", Kind.COUNT),
            *SPENT,
        ),
        [
            (each.monday, each.completed, each.learners, each.spent.seconds, each.spent.measured_seconds)
            for each in found.weeks
        ],
    )


def _time_spent(found: CourseAnalysis) -> Table:
    return Table(
        "time-spent",
        "Time spent by lesson",
        "The time of all learners together in each lesson, and the median of those who completed it. Measured is what "
        "events told; the rest is estimated from the time to the learner's next event.",
        (
            *LESSON,
            *SPENT,
            Column("measured_ratio", "Measured share", Kind.RATIO),
            Column("median_seconds", "Median", Kind.SECONDS),
        ),
        [
            (
                *_named(each),
                each.spent.seconds,
                each.spent.measured_seconds,
                _share(each.spent.measured_seconds, each.spent.seconds),
                each.median_seconds,
            )
            for each in found.lessons
        ],
    )


def _dormant(found: CourseAnalysis) -> Table:
    return Table(
        "dormant",
        "Dormant learners",
        "Enrollments that were active once, have not been for a while, and have not completed the course: those seen "
        "last first, at most 100 of them.",
        (
            Column("user_course_id", "Enrollment", Kind.ID),
            Column("last_seen_on", "Last seen", Kind.DATE),
            Column("completion_percent", "Completed of the course", Kind.PERCENT),
        ),
        [(each.user_course_id, each.last_seen_on, each.completion_percentage) for each in found.dormant],
    )


def _named(lesson: AnalyzedLesson) -> tuple[Value, ...]:
    return lesson.topic_id, lesson.lesson_id, lesson.title


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
