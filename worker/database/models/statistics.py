"""Courses' statistics, and marks of stale statistics."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base


class CourseChange(Base):
    """A mark: the course changed at this time, and its statistics are behind.

    Marks are only inserted and deleted, so writers never wait for each other; one course often has several.
    """

    __tablename__ = "course_change"
    __table_args__ = (Index(None, "course_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failed_at: Mapped[datetime | None]
    """When a refresh failed; other courses are tried first."""


class CourseStatistics(Base):
    """A course's statistics, exact at one instant, together with its lessons'."""

    __tablename__ = "course_statistics"

    course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    enrollments: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer)
    completed: Mapped[int] = mapped_column(Integer)
    completion_rate: Mapped[Decimal]
    last_activity_at: Mapped[datetime | None]
    as_of: Mapped[datetime]


class LessonStatistics(Base):
    """Statistics of one lesson that counts."""

    __tablename__ = "lesson_statistics"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    enrollments: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer)
    completed: Mapped[int] = mapped_column(Integer)
    completion_rate: Mapped[Decimal]
    last_activity_at: Mapped[datetime | None]
