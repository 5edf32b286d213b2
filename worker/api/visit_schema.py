"""The history of one lesson for one learner as the API answers it."""

from datetime import datetime

from pydantic import BaseModel, Field

from worker.analytics.rules.visit_history import MOST
from worker.api.learner_schema import Count, TimeSpent
from worker.contract.progress_status import ProgressStatus


class Visit(BaseModel):
    """Events of the lesson with gaps below the idle cut-off; times spent of two visits may overlap."""

    number: int = Field(ge=1, description="From 1, in order of time.")
    began_at: datetime
    last_at: datetime = Field(description="When its last event was.")
    events: int = Field(ge=1)
    completions: Count = Field(description="Those of its events that say that the lesson was completed.")
    completed_at: datetime | None = Field(description="Null but in the visit that completed the lesson.")
    spent: TimeSpent


class LessonCorrection(BaseModel):
    """What the row was set to by hand, and when; events at or before that time are silent in the row."""

    corrected_at: datetime
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None


class VisitHistory(BaseModel):
    """All visits to the lesson and all corrections, counted; the last of each in order of time."""

    visits: Count
    first_visit_at: datetime | None = Field(description="When the first visit began.")
    last_visit_at: datetime | None = Field(description="When the last visit began.")
    visits_to_complete: Count | None = Field(description="Those begun up to its completion; null where it has none.")
    spent: TimeSpent
    last_visits: list[Visit] = Field(max_length=MOST)
    corrections: Count
    last_corrections: list[LessonCorrection] = Field(max_length=MOST, description="The last is the one that rules.")


class LessonVisits(BaseModel):
    """The history of one lesson for one learner; that of a lesson never touched is empty."""

    user_course_id: int
    topic_id: int
    lesson_id: int
    title: str | None = Field(description="The outline's.")
    status: ProgressStatus
    completed_at: datetime | None
    history: VisitHistory
    history_from: datetime | None = Field(
        description="Events recorded before it were deleted; null while the history is whole."
    )
