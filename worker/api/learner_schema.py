"""API schema of an enrollment's analysis. Dates and days are in the learner's local time."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from worker.analytics.rules.achievements import AchievementKind
from worker.analytics.rules.reasons import Rule
from worker.analytics.rules.recommendations import RecommendationKind
from worker.analytics.rules.velocity import Basis, ProjectionState
from worker.api.schema import Percentage, TotalIsKnown
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import NextReason

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Truncated = Annotated[
    list[str],
    Field(description="Lists cut to their first 1,000 members; `/reports` has all. Omitted if empty."),
]
AsOf = Annotated[
    datetime | None,
    Field(description="Everything recorded before this instant is included; null if never computed."),
]
Hours = Annotated[list[Count], Field(min_length=24, max_length=24)]


class TimeSpent(BaseModel):
    """Time spent, and the part measured by events that report a duration; the rest is estimated."""

    seconds: Amount
    measured_seconds: Amount


class TopicTime(BaseModel):
    """Time spent in a topic."""

    topic_id: int
    spent: TimeSpent


class VisitedLesson(BaseModel):
    """A lesson with at least one visit; the title is the outline's."""

    topic_id: int
    lesson_id: int
    title: str | None
    status: ProgressStatus
    spent: TimeSpent
    visits: Count
    visits_to_complete: Count | None = Field(description="Visits begun by its completion; null if it has none.")
    first_visit_at: datetime
    last_visit_at: datetime


class DayTime(BaseModel):
    """Time spent and number of events on a day."""

    day: date
    spent: TimeSpent
    events: Count


class WeekTime(BaseModel):
    """Lessons completed, time spent and number of events in a week, Monday to Sunday."""

    monday: date
    completed: Count
    spent: TimeSpent
    events: Count


class Streaks(BaseModel):
    """Lengths in active days; the dates are null if no day was active."""

    current: Count
    longest: Count
    longest_began_on: date | None
    longest_ended_on: date | None


class Velocity(BaseModel):
    """Lessons completed a week, overall and in the last 28 days."""

    overall: Amount
    recent: Amount


class Projection(BaseModel):
    """When the course will be completed at `rate` lessons a week; without a date, `state` says why."""

    state: ProjectionState
    completed_on: date | None
    rate: float | None = Field(gt=0)
    basis: Basis | None
    reason: str = Field(description="The same as a sentence.")


class Reason(BaseModel):
    """A rule that applies to the lesson, with the figures it compared; null where it uses none."""

    rule: NextReason | Rule
    visits: Count | None = Field(description="All visits, or since the completion for `revisited`.")
    seconds: Amount | None
    median_seconds: Amount | None
    median_factor: Amount | None = Field(
        description="The multiple of the median that `seconds` exceeds, or is below for `hurried`."
    )


class Stuck(BaseModel):
    """A lesson on which the learner is stuck, and why; the title is the outline's."""

    topic_id: int
    lesson_id: int
    reasons: list[Reason] = Field(min_length=1)
    reason: str = Field(description="`reasons` as a sentence.")
    title: str | None


class Recommendation(BaseModel):
    """A recommended lesson and why; the title is the outline's."""

    kind: RecommendationKind
    topic_id: int
    lesson_id: int
    reasons: list[Reason] = Field(min_length=1)
    reason: str = Field(description="`reasons` as a sentence.")
    title: str | None


class Achievement(BaseModel):
    """An achievement; a streak has a day but no time, only a topic has a `topic_id`."""

    kind: AchievementKind
    earned_on: date | None
    earned_at: datetime | None
    topic_id: int | None


class Learner(BaseModel):
    """An enrollment's activity, pace, difficulties and recommendations. Lessons are in outline order."""

    user_course_id: int
    course_id: int | None
    total_lessons: Count
    total_is_known: TotalIsKnown
    completed_lessons: Count
    completion_percentage: Percentage
    spent: TimeSpent
    topics: list[TopicTime]
    lessons: list[VisitedLesson]
    days: list[DayTime] = Field(description="The last 28, ending with today.")
    weeks: list[WeekTime] = Field(
        max_length=104, description="Without gaps, up to the current one; at most the last 104."
    )
    sessions: Count
    session_seconds: Amount = Field(description="Total of all sessions.")
    events_by_weekday: list[Hours] = Field(
        min_length=7, max_length=7, description="Events in each hour of each weekday, Monday first."
    )
    doubtful_events: Count = Field(description="Events dated before the enrollment was made.")
    streaks: Streaks
    last_seen_on: date | None
    is_dormant: bool = Field(description="Once active, now inactive, and the course is not completed.")
    is_finished: bool = Field(description="Every lesson of the outline is completed.")
    completed_at: datetime | None = Field(
        description="When the last lesson was completed; null unless finished, or if the time of any is unknown."
    )
    completed_on: date | None
    velocity: Velocity
    projection: Projection
    stuck: list[Stuck]
    recommendations: list[Recommendation]
    achievements: list[Achievement]
    as_of: AsOf
    pending: int = Field(
        ge=0, le=1, description="1 while a change is not included yet except in statuses and completions."
    )
    course_as_of: datetime | None = Field(
        description="The same instant for the statistics of the course that lessons are compared with."
    )
    truncated: Truncated = []
