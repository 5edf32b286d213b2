"""Courses' statistics, and marks of what they do not show yet."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    Integer,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base


class CourseChange(Base):
    """A mark: the course changed at this time, and its statistics do not show it yet.

    Only ever inserted and deleted, so that nobody waits for anybody; several marks of one course are the rule.
    """

    __tablename__ = "course_change"
    __table_args__ = (Index(None, "course_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failed_at: Mapped[datetime | None]
    """When its statistics could not be computed; others are tried before it then."""


class CourseStatistics(Base):
    """How a course's enrollments are doing, exactly as of one instant, that of its lessons' statistics too."""

    __tablename__ = "course_statistics"

    course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    enrollments: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer)
    completed: Mapped[int] = mapped_column(Integer)
    completion_rate: Mapped[Decimal]
    last_activity_at: Mapped[datetime | None]
    as_of: Mapped[datetime]


class LessonStatistics(Base):
    """The same for one lesson that counts."""

    __tablename__ = "lesson_statistics"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    enrollments: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer)
    completed: Mapped[int] = mapped_column(Integer)
    completion_rate: Mapped[Decimal]
    last_activity_at: Mapped[datetime | None]
