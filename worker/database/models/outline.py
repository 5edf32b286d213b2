"""Courses and their live outlines."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import BYTEWISE, Base


class Course(Base):
    """A course with an outline; the latest one is live."""

    __tablename__ = "course"
    __table_args__ = (Index(None, "stale_since", postgresql_where=text("stale_since IS NOT NULL")),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    outlined_at: Mapped[datetime]
    outline_event_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(
        Integer, server_default="1", comment="Rises with each outline that takes effect"
    )
    stale_since: Mapped[datetime | None]
    """When the course's summaries became stale; null when they are current."""


class CourseLesson(Base):
    """A lesson of the live outline; `ordinal` counts from 1."""

    __tablename__ = "course_lesson"

    course_id: Mapped[int] = mapped_column(ForeignKey(Course.id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(Integer)
    title: Mapped[str | None]


class MovedLesson(Base):
    """A former place of a lesson of the live outline. What happened there counts for the lesson."""

    __tablename__ = "moved_lesson"
    __table_args__ = (
        ForeignKeyConstraint(
            ["course_id", "topic_id", "lesson_id"],
            [CourseLesson.course_id, CourseLesson.topic_id, CourseLesson.lesson_id],
            ondelete="CASCADE",
        ),
    )

    course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    from_topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    from_lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    topic_id: Mapped[int] = mapped_column(Integer)
    lesson_id: Mapped[int] = mapped_column(Integer)


class OutlineEvent(Base):
    """A recorded `course.outlined`, one per identity."""

    __tablename__ = "outline_event"

    course_id: Mapped[int] = mapped_column(
        ForeignKey(Course.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime]
    sequence: Mapped[str] = mapped_column(BYTEWISE, server_default="")
    arrival: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """As in `enrollment_event`."""
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    digest: Mapped[bytes | None] = mapped_column(comment="SHA-256 of its lessons; null: recorded before there was one")
