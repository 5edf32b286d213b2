"""The types of an enrollment's and of a course's analysis."""

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
"""Days listed in a learner's analysis, including today."""

WEEKS = 104
"""Maximum number of weeks listed in an analysis."""

DORMANT = 100
"""Maximum number of dormant learners listed in a course's analysis."""


@dataclass(frozen=True, slots=True)
class TopicTime:
    """The time spent in a topic."""

    topic_id: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class VisitedLesson:
    """A lesson with at least one visit; the title is the outline's, None if it has none."""

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
    """Time spent and number of events on a local day."""

    day: date
    spent: TimeSpent
    events: int


@dataclass(frozen=True, slots=True)
class WeekTime:
    """Lessons completed, time spent and number of events in a local week, Monday to Sunday."""

    monday: date
    completed: int
    spent: TimeSpent
    events: int


@dataclass(frozen=True, slots=True)
class LearnerAnalysis:
    """The analysis of one enrollment. Topics and lessons are in outline order, those outside it last."""

    user_course_id: int
    course_id: int | None
    total_lessons: int
    """This and the next three are those of `worker.summary.rules.Summary`."""
    total_is_known: bool
    completed_lessons: int
    completion_percentage: Decimal
    spent: TimeSpent
    topics: list[TopicTime]
    lessons: list[VisitedLesson]
    days: list[DayTime]
    """The last 28 in order, ending with the learner's today."""
    weeks: list[WeekTime]
    """In order, without gaps, from the first active one up to the current one; at most 104."""
    sessions: int
    session_seconds: float
    events_by_weekday: list[list[int]]
    """24 hours of each weekday, Monday first."""
    doubtful_events: int
    """Events dated before the enrollment was made."""
    streaks: Streaks
    last_seen_on: date | None
    is_dormant: bool
    """As defined in `worker.analytics.rules.streaks`; False once the course is completed."""
    is_finished: bool
    """Every lesson of the outline is completed: `worker.summary.rules.Summary.has_completed_course`."""
    completed_at: datetime | None
    """Once finished, the time at which the last lesson was completed; None if the time of any is unknown."""
    completed_on: date | None
    velocity: Velocity
    projection: Projection
    stuck: list[Stuck]
    recommendations: list[Recommendation]
    achievements: list[Achievement]
    as_of: datetime | None
    """Everything recorded before this instant is included; None if the activity was never computed."""
    pending: int
    """1 while a change of this enrollment is not included yet except in statuses and completions, else 0."""
    course_as_of: datetime | None
    """The same instant for the course's statistics, whose medians the lessons are compared with; None if never."""


@dataclass(frozen=True, slots=True)
class AnalyzedLesson:
    """A lesson of a course, over all enrollments.

    `drop_off` (0...1) and `is_blocker` are defined in `worker.analytics.rules.stuck`, the medians and `spent` in
    `worker.analytics.rules.time_statistics`.
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
    """Lessons completed, active learners and time spent in a week, Monday to Sunday."""

    monday: date
    completed: int
    learners: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class DormantLearner:
    """An enrollment that was active once, is inactive now, and has not completed the course; the date is local."""

    user_course_id: int
    last_seen_on: date
    completion_percentage: Decimal | None
    """From its stored summary; None if it has none yet."""


@dataclass(frozen=True, slots=True)
class CourseAnalysis:
    """The analysis of a course: all of its figures from one computation of its statistics.

    Dormancy is judged at the time of reading, over the enrollments that the statistics include as they are now. Until
    statistics are first computed, `statistics` and `as_of` are None and the rest is empty.
    """

    course_id: int
    total_is_known: bool
    """Whether the course has an outline; without one it is never completed."""
    statistics: Statistics | None
    spent: TimeSpent
    sessions: int
    session_seconds: float
    median_days: float | None
    events_by_weekday: list[list[int]]
    """24 hours of each weekday, Monday first, in each learner's local time."""
    weeks: list[Week]
    """In order, without gaps, from the first active one up to the current one; at most 104."""
    lessons: list[AnalyzedLesson]
    """Those that counted then, in outline order; without an outline by topic and lesson."""
    dormant_learners: int
    dormant: list[DormantLearner]
    """Up to 100, the most recently seen first."""
    as_of: datetime | None
    """Everything recorded before this instant is included; None if never computed."""
    pending: int
    """Enrollments with changes that are not included yet; each figure is off by at most these."""
