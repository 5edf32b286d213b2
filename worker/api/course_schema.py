"""The analysis of a course as the API answers it. Days and hours are those where each learner is."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from worker.api.learner_schema import Amount, Count, Hours, TimeSpent, Truncated
from worker.api.schema import Percentage, TotalIsKnown

Share = Annotated[float, Field(ge=0, le=1)]


class Statistics(BaseModel):
    """How many enrollments started and completed the course, or a lesson; the rate is in percent of all of them.

    Without an outline nobody has completed the course, as nobody knows all of its lessons.
    """

    enrollments: Count
    started: Count
    completed: Count
    completion_rate: Percentage
    last_activity_at: datetime | None


class Difficulty(BaseModel):
    """Of a lesson beside the others of its course: 0 is the easiest, 0.5 like the course."""

    value: Share
    learners: Count = Field(description="On so many learners it rests.")


class AnalyzedLesson(BaseModel):
    """A lesson: how many came to it, how long it takes, and where it stops them. Medians are of those who completed."""

    topic_id: int
    lesson_id: int
    title: str | None
    statistics: Statistics
    visits: Count
    spent: TimeSpent
    median_seconds: Amount | None
    median_visits_to_complete: Amount | None
    median_days: Amount | None = Field(description="From the first visit to the completion.")
    stopped: Count = Field(description="Started it, neither completed it nor went on.")
    stuck: Count = Field(description="Learners who are stuck on it.")
    drop_off: Share | None = Field(description="Stopped, as a share of started; null where nobody started.")
    is_blocker: bool
    difficulty: Difficulty | None = Field(description="Null where it rests on too few learners.")


class Week(BaseModel):
    """A week: lessons completed in it, learners active, time spent."""

    monday: date
    completed: Count
    learners: Count
    spent: TimeSpent


class DormantLearner(BaseModel):
    """An enrollment that was active once, is not any more, and has not completed the course."""

    user_course_id: int
    last_seen_on: date
    completion_percentage: Percentage | None


class Course(BaseModel):
    """How many came how far, how long it takes them, where it stops them, and who stays away."""

    course_id: int
    total_is_known: TotalIsKnown
    statistics: Statistics | None = Field(description="Null before they are first computed.")
    spent: TimeSpent
    sessions: Count
    session_seconds: Amount = Field(description="Of all sessions together.")
    median_days: Amount | None = Field(description="From the first event to the completion of the course.")
    events_by_weekday: list[Hours] = Field(
        min_length=7, max_length=7, description="Events in each hour of each weekday, Monday first."
    )
    weeks: list[Week] = Field(description="In order and without gaps, up to the last with anything in it; at most 104.")
    lessons: list[AnalyzedLesson] = Field(description="In outline order.")
    dormant_learners: Count
    dormant: list[DormantLearner] = Field(description="Up to 100 of them, those seen last first.")
    as_of: datetime | None = Field(description="The instant of all but who is dormant, which is as of now.")
    truncated: Truncated = []
