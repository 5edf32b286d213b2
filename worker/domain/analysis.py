"""The analysis of one enrolment: time spent, habits, pace, where it is stuck, what to do next, what it achieved."""

from dataclasses import dataclass
from datetime import date, datetime

from worker.domain.achievement import Achievement
from worker.domain.activity import TimeSpent
from worker.domain.recommendation import Recommendation
from worker.domain.status import ProgressStatus
from worker.domain.streak import Streaks
from worker.domain.stuck import Stuck
from worker.domain.velocity import Projection, Velocity

DAYS = 28
"""Days that an analysis shows one by one, today included."""


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
class LearnerAnalysis:
    """The analysis of one enrolment. Topics and lessons are in outline order, those that left the outline last."""

    user_course_id: int
    course_id: int | None
    spent: TimeSpent
    topics: list[TopicTime]
    lessons: list[VisitedLesson]
    days: list[DayTime]
    """The last 28, in order; today, where the learner is, is the last."""
    sessions: int
    session_seconds: float
    events_by_weekday: list[list[int]]
    """Monday first, 24 hours of each."""
    streaks: Streaks
    last_seen_on: date | None
    is_dormant: bool
    velocity: Velocity
    projection: Projection | None
    stuck: list[Stuck]
    recommendations: list[Recommendation]
    achievements: list[Achievement]
    as_of: datetime | None
    """When the activity was computed; later events show in rows and statuses alone. None where it never was."""
