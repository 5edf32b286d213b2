"""The activity of each enrollment, and marks of what it does not show yet."""

from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    Integer,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base
from worker.database.models.progress import UserCourse


class ActivityChange(Base):
    """A mark: the enrollment's events changed at this time, and its activity does not show it yet.

    Only ever inserted and deleted, so that nobody waits for anybody; several marks of one enrollment are the rule. By
    its foreign key a deletion meets an event that left no other trace (docs/operations.md, "Deleting enrollments").
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
    """When its activity could not be computed; the others go first, and it is tried again later."""


class EnrollmentActivity(Base):
    """What an enrollment did, in all; of its events that the ledger has, so since `history_from` where that is set.

    Here and below: `seconds` is the time spent, `measured_seconds` what of it the events themselves told; where both
    are the same it is measured, else estimated.
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
    """By hour of the local week: 168 numbers, that of Monday 0 to 1 o'clock first."""
    doubtful_events: Mapped[int] = mapped_column(Integer, server_default="0")
    """Of a time before the enrollment was made."""
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TopicActivity(Base):
    """The same of one topic."""

    __tablename__ = "topic_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]


class LessonActivity(Base):
    """The same of one lesson, and the visits to it."""

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
    """Visits begun at or before the lesson's `completed_at`; null while it has none."""


class DailyActivity(Base):
    """The same of one day by the enrollment's own clock, with the number of its events."""

    __tablename__ = "daily_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    events: Mapped[int] = mapped_column(Integer)
