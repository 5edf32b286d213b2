"""API schema of a course's analysis. Days and hours are in each learner's local time."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from worker.api.learner_schema import Amount, AsOf, Count, Hours, TimeSpent, Truncated
from worker.api.schema import Percentage, TotalIsKnown

Ratio = Annotated[float, Field(ge=0, le=1)]


class Statistics(BaseModel):
    """Enrollments that started and completed a course or lesson; without an outline a course is never completed."""

    enrollments: Count
    started: Count
    completed: Count
    completion_rate: Percentage
    last_activity_at: datetime | None


class Difficulty(BaseModel):
    """Difficulty of a lesson compared with the others of its course: 0 is the easiest, 0.5 average."""

    value: Ratio
    learners: Count = Field(description="Learners it is based on.")


class AnalyzedLesson(BaseModel):
    """A lesson over all enrollments; medians are over learners who completed it."""

    topic_id: int
    lesson_id: int
    title: str | None
    statistics: Statistics
    visits: Count
    spent: TimeSpent
    median_seconds: Amount | None
    median_visits_to_complete: Amount | None
    median_days: Amount | None = Field(description="From the first visit to the completion.")
    stopped: Count = Field(description="Learners who started it, did not complete it, and started no later lesson.")
    stuck: Count = Field(description="Learners stuck on it.")
    drop_off: Ratio | None = Field(description="Ratio of stopped to started; null if no learner started.")
    is_blocker: bool
    difficulty: Difficulty | None = Field(description="Null with too few learners.")


class Week(BaseModel):
    """Lessons completed, active learners and time spent in a week."""

    monday: date
    completed: Count
    learners: Count
    spent: TimeSpent


class DormantLearner(BaseModel):
    """An enrollment that was active once, is inactive now, and has not completed the course."""

    user_course_id: int
    last_seen_on: date
    completion_percentage: Percentage | None


class Course(BaseModel):
    """Completion, time spent, blockers and dormant learners of a course."""

    course_id: int
    total_is_known: TotalIsKnown
    statistics: Statistics | None = Field(description="Null until first computed.")
    spent: TimeSpent
    sessions: Count
    session_seconds: Amount = Field(description="Total of all sessions.")
    median_days: Amount | None = Field(description="From the first event to the completion of the course.")
    events_by_weekday: list[Hours] = Field(
        min_length=7, max_length=7, description="Events in each hour of each weekday, Monday first."
    )
    weeks: list[Week] = Field(description="In order, without gaps, up to the current one; at most 104.")
    lessons: list[AnalyzedLesson] = Field(description="In outline order.")
    dormant_learners: Count = Field(description="Of the enrollments whose changes are all included.")
    dormant: list[DormantLearner] = Field(description="Up to 100, the most recently seen first.")
    as_of: AsOf
    pending: Count = Field(
        description="Enrollments with changes that are not included yet; each figure is off by at most these."
    )
    truncated: Truncated = []
