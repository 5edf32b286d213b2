"""The summary of each enrollment, and marks of stale summaries."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base
from worker.database.models.progress import UserCourse


class UserCourseSummary(Base):
    """The summary of an enrollment when it was last refreshed.

    It is current while its enrollment has no `stale_since` and no mark of a change, and neither the course nor the
    version of its outline (0: none) has changed.
    """

    __tablename__ = "user_course_summary"
    __table_args__ = (
        Index(None, "course_id", "outline_version"),
        CheckConstraint("next_reason IN ('current', 'after_current', 'not_completed')", name="next_reason"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    user_course_id: Mapped[int] = mapped_column(
        ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    course_id: Mapped[int | None] = mapped_column(BigInteger)
    outline_version: Mapped[int] = mapped_column(Integer)
    total_lessons: Mapped[int] = mapped_column(Integer)
    completed_lessons: Mapped[int] = mapped_column(Integer)
    in_progress_lessons: Mapped[int] = mapped_column(Integer)
    not_started_lessons: Mapped[int] = mapped_column(Integer)
    completion_percentage: Mapped[Decimal]
    current_topic_id: Mapped[int | None] = mapped_column(Integer)
    current_lesson_id: Mapped[int | None] = mapped_column(Integer)
    current_section_id: Mapped[int | None] = mapped_column(Integer)
    next_topic_id: Mapped[int | None] = mapped_column(Integer)
    next_lesson_id: Mapped[int | None] = mapped_column(Integer)
    next_reason: Mapped[str | None]
    last_activity_at: Mapped[datetime | None]
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EnrollmentChange(Base):
    """A mark like `user_course.stale_since`, made when an LMS inserts or deletes progress rows, or a refresh fails.

    Marks are only inserted and deleted, so that an LMS's transactions take no further locks.
    """

    __tablename__ = "enrollment_change"
    __table_args__ = (
        Index(None, "user_course_id"),
        Index("ix_enrollment_change_failed", "user_course_id", postgresql_where=text("failed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failed_at: Mapped[datetime | None]
    """When a refresh failed; others go first, and it is retried later."""
