"""Aggregated activity and pace of courses' learners."""

from datetime import date

from sqlalchemy import ARRAY, BigInteger, ForeignKey, ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base
from worker.database.models.statistics import CourseStatistics, LessonStatistics


class CourseFigures(Base):
    """A course's time statistics, at the same instant as its completion statistics."""

    __tablename__ = "course_figures"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    sessions: Mapped[int] = mapped_column(Integer)
    session_seconds: Mapped[float]
    events_by_hour: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """As in `enrollment_activity`, by the learners' local times."""
    median_days: Mapped[float | None]


class WeekFigures(Base):
    """Statistics of one week of the learners' local calendars."""

    __tablename__ = "week_figures"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    monday: Mapped[date] = mapped_column(primary_key=True)
    completed: Mapped[int] = mapped_column(Integer)
    learners: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]


class LessonFigures(Base):
    """Statistics of one lesson that counts."""

    __tablename__ = "lesson_figures"
    __table_args__ = (
        ForeignKeyConstraint(
            ["course_id", "topic_id", "lesson_id"],
            [LessonStatistics.course_id, LessonStatistics.topic_id, LessonStatistics.lesson_id],
            ondelete="CASCADE",
        ),
    )

    course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    topic_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lesson_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    stopped: Mapped[int] = mapped_column(Integer)
    stuck: Mapped[int] = mapped_column(Integer)
    visits: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    median_seconds: Mapped[float | None]
    median_visits_to_complete: Mapped[float | None]
    median_days: Mapped[float | None]
