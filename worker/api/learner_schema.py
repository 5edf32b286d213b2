"""The analysis of an enrollment as the API answers it. Dates are the learner's own, days where the learner is."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from worker.analytics.rules.achievements import AchievementKind
from worker.analytics.rules.reasons import Rule
from worker.analytics.rules.recommendations import RecommendationKind
from worker.analytics.rules.velocity import Basis
from worker.api.schema import Percentage, TotalIsKnown
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import NextReason

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Truncated = Annotated[
    list[str],
    Field(description="Lists that hold their first 1,000 alone; `/reports` has the rest. Absent without any."),
]
Hours = Annotated[list[Count], Field(min_length=24, max_length=24)]


class TimeSpent(BaseModel):
    """Time spent, and what of it the events themselves told; where both differ it is estimated, else measured."""

    seconds: Amount
    measured_seconds: Amount


class TopicTime(BaseModel):
    """The time spent in a topic."""

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
    visits_to_complete: Count | None = Field(description="Those begun up to its completion; null where it has none.")
    first_visit_at: datetime
    last_visit_at: datetime


class DayTime(BaseModel):
    """A day: the time spent in it, and how many events it has."""

    day: date
    spent: TimeSpent
    events: Count


class WeekTime(BaseModel):
    """A week, Monday to Sunday: lessons completed in it, the time spent, and how many events it has."""

    monday: date
    completed: Count
    spent: TimeSpent
    events: Count


class Streaks(BaseModel):
    """Lengths in active days; the dates are null where no day was active."""

    current: Count
    longest: Count
    longest_began_on: date | None
    longest_ended_on: date | None


class Velocity(BaseModel):
    """Lessons completed a week: overall, and in the last 28 days."""

    overall: Amount
    recent: Amount


class Projection(BaseModel):
    """When the course will be completed at a rate of so many lessons a week."""

    completed_on: date
    rate: float = Field(gt=0)
    basis: Basis
    reason: str = Field(description="The same as a sentence.")


class Reason(BaseModel):
    """A rule that names a lesson and the figures it compared, null where it uses none."""

    rule: NextReason | Rule
    visits: Count | None = Field(description="All visits, or for `revisited` those since the completion.")
    seconds: Amount | None
    median_seconds: Amount | None
    median_factor: Amount | None = Field(
        description="The multiple of the median that `seconds` exceeds, or for `hurried` stays below."
    )


class Stuck(BaseModel):
    """A lesson on which the learner is stuck, and why we think so; the title is the outline's."""

    topic_id: int
    lesson_id: int
    reasons: list[Reason] = Field(min_length=1)
    reason: str = Field(description="`reasons` as a sentence.")
    title: str | None


class Recommendation(BaseModel):
    """A lesson, what to do with it, and why; the title is the outline's."""

    kind: RecommendationKind
    topic_id: int
    lesson_id: int
    reasons: list[Reason] = Field(min_length=1)
    reason: str = Field(description="`reasons` as a sentence.")
    title: str | None


class Achievement(BaseModel):
    """What was earned and when; a streak on a day and at no moment of it, a topic alone has a `topic_id`."""

    kind: AchievementKind
    earned_on: date | None
    earned_at: datetime | None
    topic_id: int | None


class Learner(BaseModel):
    """What an enrollment did, how fast, where it is stuck, and what to do next. Lessons are in outline order."""

    user_course_id: int
    course_id: int | None
    total_lessons: Count
    total_is_known: TotalIsKnown
    completed_lessons: Count
    completion_percentage: Percentage
    spent: TimeSpent
    topics: list[TopicTime]
    lessons: list[VisitedLesson]
    days: list[DayTime] = Field(description="The last 28; today is the last of them.")
    weeks: list[WeekTime] = Field(
        max_length=104, description="Without gaps, up to the last with anything in it; the last 104."
    )
    sessions: Count
    session_seconds: Amount = Field(description="Of all sessions together.")
    events_by_weekday: list[Hours] = Field(
        min_length=7, max_length=7, description="Events in each hour of each weekday, Monday first."
    )
    doubtful_events: Count = Field(description="Events of a time before the enrollment was made.")
    streaks: Streaks
    last_seen_on: date | None
    is_dormant: bool = Field(description="Active once and not any more; who completed the course is not.")
    velocity: Velocity
    projection: Projection | None = Field(description="Null where nothing is left, or it cannot be foreseen.")
    stuck: list[Stuck]
    recommendations: list[Recommendation]
    achievements: list[Achievement]
    as_of: datetime | None = Field(description="When the activity was computed; null where it never was.")
    truncated: Truncated = []
