"""Courses and their live outlines."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from worker.storage.models.base import Base


class Course(Base):
    """A course with an outline; the latest outline by (time, event id) is the live one."""

    __tablename__ = "course"
    __table_args__ = (Index(None, "stale_since", postgresql_where=text("stale_since IS NOT NULL")),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    outlined_at: Mapped[datetime]
    outline_event_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(
        Integer, server_default="1", comment="Rises with each outline that takes effect"
    )
    stale_since: Mapped[datetime | None]
    """Oldest outline that some summary of the course does not show yet; null when there is none."""


class CourseLesson(Base):
    """A lesson of the live outline; `ordinal` counts from 1 in outline order."""

    __tablename__ = "course_lesson"

    course_id: Mapped[int] = mapped_column(ForeignKey(Course.id, ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(Integer)
    title: Mapped[str | None]
