"""What an analysis holds: of one enrollment (habits, pace, advice, achievements) and of a course (its lessons' too)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from worker.analytics.rules.achievements import Achievement
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.rules.difficulty import Difficulty
from worker.analytics.rules.recommendations import Recommendation
from worker.analytics.rules.streaks import Streaks
from worker.analytics.rules.stuck import Stuck
from worker.analytics.rules.velocity import Projection, Velocity
from worker.contract.progress_status import ProgressStatus

DAYS = 28
"""Days that a learner's analysis shows one by one, today included."""

WEEKS = 104
"""Most weeks that an analysis shows one by one."""

DORMANT = 100
"""Most dormant learners that a course's analysis names."""


@dataclass(frozen=True, slots=True)
class TopicTime:
    """The time spent in a topic."""

    topic_id: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class VisitedLesson:
    """A lesson with at least one visit; the title is the outline's, None where it has none."""

    topic_id: int
    lesson_id: int
    title: str | None
    status: ProgressStatus
    spent: TimeSpent
    visits: int
    visits_to_complete: int | None
    first_visit_at: datetime
    last_visit_at: datetime


@dataclass(frozen=True, slots=True)
class DayTime:
    """A day where the learner is: the time spent in it, and how many events it has."""

    day: date
    spent: TimeSpent
    events: int


@dataclass(frozen=True, slots=True)
class WeekTime:
    """A week, Monday to Sunday where the learner is: lessons completed in it, the time spent, its events."""

    monday: date
    completed: int
    spent: TimeSpent
    events: int


@dataclass(frozen=True, slots=True)
class LearnerAnalysis:
    """The analysis of one enrollment. Topics and lessons are in outline order, those that left the outline last."""

    user_course_id: int
    course_id: int | None
    total_lessons: int
    """These four are as in `worker.summary.rules.Summary`."""
    total_is_known: bool
    completed_lessons: int
    completion_percentage: Decimal
    spent: TimeSpent
    topics: list[TopicTime]
    lessons: list[VisitedLesson]
    days: list[DayTime]
    """The last 28, in order; today, where the learner is, is the last."""
    weeks: list[WeekTime]
    """In order, without gaps, up to the last with anything in it; at most 104."""
    sessions: int
    session_seconds: float
    events_by_weekday: list[list[int]]
    """Monday first, 24 hours of each."""
    doubtful_events: int
    """Of a time before the enrollment was made."""
    streaks: Streaks
    last_seen_on: date | None
    is_dormant: bool
    """As `worker.analytics.rules.streaks` has it; who completed the course is not."""
    velocity: Velocity
    projection: Projection | None
    stuck: list[Stuck]
    recommendations: list[Recommendation]
    achievements: list[Achievement]
    as_of: datetime | None
    """When the activity was computed; later events show in rows and statuses alone. None where it never was."""


@dataclass(frozen=True, slots=True)
class AnalyzedLesson:
    """A lesson of a course: how many came to it, how long it takes, and where it stops them.

    `drop_off` is the share of those who started it that it stopped, 0...1; `is_blocker` says that it is high and rests
    on enough learners. The medians and `spent` are as in `worker.analytics.rules.time_statistics`.
    """

    topic_id: int
    lesson_id: int
    title: str | None
    statistics: Statistics
    visits: int
    spent: TimeSpent
    median_seconds: float | None
    median_visits_to_complete: float | None
    median_days: float | None
    stopped: int
    stuck: int
    drop_off: float | None
    is_blocker: bool
    difficulty: Difficulty | None


@dataclass(frozen=True, slots=True)
class Week:
    """A week, Monday to Sunday: lessons completed in it, learners active, time spent."""

    monday: date
    completed: int
    learners: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class DormantLearner:
    """An enrollment that was active once, is not any more and has not completed the course; the date is its own."""

    user_course_id: int
    last_seen_on: date
    completion_percentage: Decimal | None
    """Of its stored summary; None where it has none yet."""


@dataclass(frozen=True, slots=True)
class CourseAnalysis:
    """The analysis of a course; all but who is dormant is as of one instant, `as_of`.

    All is empty, and `statistics` and `as_of` None, before it is first computed.
    """

    course_id: int
    total_is_known: bool
    """The course has an outline; else nobody knows all of its lessons, and nobody has completed it."""
    statistics: Statistics | None
    spent: TimeSpent
    sessions: int
    session_seconds: float
    median_days: float | None
    events_by_weekday: list[list[int]]
    """Monday first, 24 hours of each, where each learner is."""
    weeks: list[Week]
    """In order, without gaps, up to the last with anything in it; at most 104."""
    lessons: list[AnalyzedLesson]
    """Those that counted as of then, in outline order; without an outline by topic and lesson."""
    dormant_learners: int
    dormant: list[DormantLearner]
    """Up to 100 of them, those seen last first."""
    as_of: datetime | None
