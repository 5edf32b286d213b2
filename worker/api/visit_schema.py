"""API schema of a lesson's history for one learner."""

from datetime import datetime

from pydantic import BaseModel, Field

from worker.analytics.rules.visit_history import MAX_LISTED
from worker.api.learner_schema import Count, TimeSpent
from worker.contract.progress_status import ProgressStatus


class Visit(BaseModel):
    """A run of the lesson's events with gaps below the idle cut-off; the times of two visits may overlap."""

    number: int = Field(ge=1, description="From 1, in order of time.")
    began_at: datetime
    last_at: datetime = Field(description="Time of its last event.")
    events: int = Field(ge=1)
    completions: Count = Field(description="Its `completed` events.")
    completed_at: datetime | None = Field(description="Null except in the visit that completed the lesson.")
    spent: TimeSpent


class LessonCorrection(BaseModel):
    """A correction of the lesson's row; events at or before `corrected_at` are ignored."""

    corrected_at: datetime
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None


class VisitHistory(BaseModel):
    """Counts of visits and corrections, and the last of each in order of time."""

    visits: Count
    first_visit_at: datetime | None = Field(description="When the first visit began.")
    last_visit_at: datetime | None = Field(description="When the last visit began.")
    visits_to_complete: Count | None = Field(description="Visits begun by its completion; null if it has none.")
    spent: TimeSpent
    last_visits: list[Visit] = Field(max_length=MAX_LISTED)
    corrections: Count
    last_corrections: list[LessonCorrection] = Field(max_length=MAX_LISTED, description="The last one applies.")


class LessonVisits(BaseModel):
    """The history of one lesson for one learner; empty for an untouched lesson."""

    user_course_id: int
    topic_id: int
    lesson_id: int
    title: str | None = Field(description="The outline's.")
    status: ProgressStatus
    completed_at: datetime | None
    history: VisitHistory
    history_from: datetime | None = Field(
        description="Events recorded earlier were deleted; null if the history is complete."
    )
