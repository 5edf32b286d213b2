"""The tables of a course's report."""

from collections.abc import Sequence

from worker.analytics.analysis import AnalyzedLesson, CourseAnalysis, DormantLearner, Week
from worker.analytics.class_list import ClassMember
from worker.contract.lesson import Lesson
from worker.reports.class_list import class_table
from worker.reports.hours import hours_table
from worker.reports.table import HEADLINE, LESSON, SPENT, Column, Figure, Kind, Report, Table, session_figures

COURSE_TABLES = ("headline", "learners", "lessons", "blockers", "weeks", "hours", "time-spent", "dormant")
"""Their names, in order."""

STARTED: Column[AnalyzedLesson] = Column("started", "Started", Kind.COUNT, lambda lesson: lesson.statistics.started)
COMPLETED: Column[AnalyzedLesson] = Column(
    "completed", "Completed", Kind.COUNT, lambda lesson: lesson.statistics.completed
)
DROP_OFF: Column[AnalyzedLesson] = Column("drop_off_ratio", "Drop-off", Kind.RATIO, lambda lesson: lesson.drop_off)
WEEK_COMPLETED: Column[Week] = Column("completed", "Lessons completed", Kind.COUNT, lambda week: week.completed)
WEEK_LEARNERS: Column[Week] = Column("learners", "Active learners", Kind.COUNT, lambda week: week.learners)


def course_report(found: CourseAnalysis, members: Sequence[ClassMember] = (), total: int = 0) -> Report:
    """Return the report on a course's analysis and its class list, the first `members` of `total`."""
    tables = (
        _headline(found),
        class_table(members, total),
        _lessons(found),
        _blockers(found),
        _weeks(found),
        hours_table(found.events_by_weekday),
        _time_spent(found),
        _dormant(found),
    )
    return Report("course", found.course_id, found.as_of, tables, found.pending, found.course_id)


def _headline(found: CourseAnalysis) -> Table[Figure]:
    enrollments = found.statistics.enrollments if found.statistics else None
    of = found.statistics if enrollments else None
    if not of and found.pending:
        enrollments = None  # those there are were not computed yet
    dormant, blockers, *times = (
        each if of else each._replace(value=None)
        for each in (
            Figure("Dormant learners", found.dormant_learners, Kind.COUNT),
            Figure("Blockers", sum(lesson.is_blocker for lesson in found.lessons), Kind.COUNT, "Progress"),
            *session_figures(found),
        )
    )
    return Table(
        "headline",
        "Headline figures",
        "The course as a whole."
        + " Learners have started it with their first lesson and completed it with every lesson of its outline; "
        "without an outline, no learner can complete it." * bool(of),
        HEADLINE,
        [
            Figure("Enrollments", enrollments, Kind.COUNT),
            Figure("Started", of.started if of else None, Kind.COUNT),
            Figure("Completed", of.completed if of else None, Kind.COUNT),
            dormant,
            Figure("Completion rate", of.completion_rate if of else None, Kind.PERCENT, "Progress"),
            Figure("Median time to complete", found.median_days if of else None, Kind.DAYS, "Progress"),
            blockers,
            Figure("Last activity", of.last_activity_at if of else None, Kind.TIME, "Progress"),
            Figure("Outline is known", found.total_is_known, Kind.FLAG, "Progress"),
            *times,
        ],
    )


def _lessons(found: CourseAnalysis) -> Table[AnalyzedLesson]:
    numbers = lesson_numbers(found.lessons)
    return Table(
        "lessons",
        "From the first lesson to the last",
        "How many of the enrollments started and completed each lesson, in outline order. Medians are over those who "
        "completed it; the time to complete runs from the first visit to the completion. Difficulty compares a "
        "lesson's median time, median visits and drop-off with the course's other lessons: 0...1, with ½ for average.",
        (
            Column("no", "No.", Kind.ID, lambda lesson: numbers[lesson.topic_id, lesson.lesson_id]),
            *LESSON,
            Column("enrollments", "Enrollments", Kind.COUNT, lambda lesson: lesson.statistics.enrollments),
            STARTED,
            COMPLETED,
            Column(
                "completion_rate_percent",
                "Completion rate",
                Kind.PERCENT,
                lambda lesson: lesson.statistics.completion_rate,
            ),
            Column("median_days", "Median time to complete", Kind.DAYS, lambda lesson: lesson.median_days),
            Column("median_seconds", "Median time spent", Kind.SECONDS, lambda lesson: lesson.median_seconds),
            Column(
                "median_visits_to_complete",
                "Median visits to complete",
                Kind.NUMBER,
                lambda lesson: lesson.median_visits_to_complete,
            ),
            Column(
                "difficulty", "Difficulty", Kind.NUMBER, lambda lesson: lesson.difficulty and lesson.difficulty.value
            ),
            Column(
                "difficulty_learners",
                "Learners behind difficulty",
                Kind.COUNT,
                lambda lesson: lesson.difficulty and lesson.difficulty.learners,
            ),
            Column("last_activity_at", "Last activity", Kind.TIME, lambda lesson: lesson.statistics.last_activity_at),
        ),
        found.lessons,
    )


def _blockers(found: CourseAnalysis) -> Table[AnalyzedLesson]:
    return Table(
        "blockers",
        "Where learners stop",
        "A lesson stopped the learners who started it, did not complete it, and started no later lesson. Drop-off is "
        "their ratio to those who started it. A blocker has a high drop-off over enough learners. Stuck learners try "
        "hard without completing the lesson or a later one.",
        (
            *LESSON,
            STARTED,
            Column("stopped", "Stopped", Kind.COUNT, lambda lesson: lesson.stopped),
            DROP_OFF,
            Column("stuck", "Stuck", Kind.COUNT, lambda lesson: lesson.stuck),
            Column("is_blocker", "Blocker", Kind.FLAG, lambda lesson: lesson.is_blocker),
        ),
        found.lessons,
    )


def _weeks(found: CourseAnalysis) -> Table[Week]:
    return Table(
        "weeks",
        "Week by week",
        "Lessons completed, active learners and time spent in each week, Monday to Sunday in the learner's local time.",
        (Column("monday", "Week from", Kind.DATE, lambda week: week.monday), WEEK_COMPLETED, WEEK_LEARNERS, *SPENT),
        found.weeks,
    )


def _time_spent(found: CourseAnalysis) -> Table[AnalyzedLesson]:
    return Table(
        "time-spent",
        "Time spent by lesson",
        "The time of all learners in each lesson, and the median of those who completed it. Time is measured where "
        "events report it and otherwise estimated from the gap to the learner's next event.",
        (
            *LESSON,
            *SPENT,
            Column("measured_ratio", "Measured ratio", Kind.RATIO, lambda lesson: lesson.spent.measured_ratio),
            Column("median_seconds", "Median", Kind.SECONDS, lambda lesson: lesson.median_seconds),
        ),
        found.lessons,
    )


def _dormant(found: CourseAnalysis) -> Table[DormantLearner]:
    return Table(
        "dormant",
        "Dormant learners",
        "Enrollments that were active once, have been inactive for a while, and have not completed the course: the "
        "most recently seen first, at most 100.",
        (
            Column("user_course_id", "Enrollment", Kind.LEARNER, lambda learner: learner.user_course_id),
            Column("last_seen_on", "Last seen", Kind.DATE, lambda learner: learner.last_seen_on),
            Column("completion_percent", "Completed", Kind.PERCENT, lambda learner: learner.completion_percentage),
        ),
        found.dormant,
        found.dormant_learners,
    )


def lesson_numbers(lessons: Sequence[AnalyzedLesson]) -> dict[Lesson, int]:
    """Return the position of each lesson in the course, from 1."""
    return {(lesson.topic_id, lesson.lesson_id): number for number, lesson in enumerate(lessons, 1)}
