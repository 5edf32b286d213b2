"""The activity of each enrollment, and marks of stale activity."""

from datetime import date, datetime

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base
from worker.database.models.progress import UserCourse


class ActivityChange(Base):
    """A mark: the enrollment's events changed at this time, and its activity is stale.

    Marks are only inserted and deleted, so writers never wait for each other; one enrollment often has several. The
    foreign key makes a deletion wait for an event that left no other trace (docs/operations.md, "Deleting
    enrollments").
    """

    __tablename__ = "activity_change"
    __table_args__ = (
        Index(None, "user_course_id"),
        Index("ix_activity_change_failed", "user_course_id", postgresql_where=text("failed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failed_at: Mapped[datetime | None]
    """When a refresh failed; others go first, and it is retried later."""


class EnrollmentActivity(Base):
    """An enrollment's total activity in the events that the ledger has, so since `history_from` if that is set.

    Here and below `seconds` is the time spent and `measured_seconds` the part measured by the events themselves; if
    they differ, the rest is estimated.
    """

    __tablename__ = "enrollment_activity"
    __table_args__ = (
        Index("ix_enrollment_activity_doubtful", "user_course_id", postgresql_where=text("doubtful_events > 0")),
    )

    user_course_id: Mapped[int] = mapped_column(
        ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    sessions: Mapped[int] = mapped_column(Integer)
    session_seconds: Mapped[float]
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    events_by_hour: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """168 numbers, by hour of the local week, beginning with Monday at 0:00."""
    doubtful_events: Mapped[int] = mapped_column(Integer, server_default="0")
    """Number of events dated before the enrollment was created."""
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TopicActivity(Base):
    """An enrollment's time in one topic."""

    __tablename__ = "topic_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]


class LessonActivity(Base):
    """An enrollment's time in and visits to one lesson."""

    __tablename__ = "lesson_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    visits: Mapped[int] = mapped_column(Integer)
    first_visit_at: Mapped[datetime]
    last_visit_at: Mapped[datetime]
    visits_to_complete: Mapped[int | None] = mapped_column(Integer)
    """Visits that began at or before `completed_at`; null if the lesson is not completed."""


class DailyActivity(Base):
    """An enrollment's time and events on one day of its local time."""

    __tablename__ = "daily_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    events: Mapped[int] = mapped_column(Integer)
