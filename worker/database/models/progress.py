"""Enrollments, their progress, the ledger and the dead letters."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from worker.contract.entry import Reason
from worker.contract.progress_status import ProgressStatus
from worker.database.models.base import BYTEWISE, CREATED_BY_US, LESSON_EVENT_TYPE, PROGRESS_STATUS, Base


class UserCourse(Base):
    """An enrollment with its position: topic, lesson and section of its latest lesson event."""

    __tablename__ = "user_course"
    __table_args__ = (
        Index(None, "stale_since", postgresql_where=text("stale_since IS NOT NULL")),
        Index(None, "course_id", "id"),
        Index(None, "user_id", "id"),
        {"comment": CREATED_BY_US, "postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(BigInteger)
    course_id: Mapped[int] = mapped_column(BigInteger)
    current_topic: Mapped[int | None] = mapped_column(Integer, comment=CREATED_BY_US)
    current_lesson: Mapped[int | None] = mapped_column(Integer, comment=CREATED_BY_US)
    current_section: Mapped[int | None] = mapped_column(Integer, comment=CREATED_BY_US)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), comment=CREATED_BY_US)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), comment=CREATED_BY_US)
    """When the position or the course last changed, by PostgreSQL's clock. Our statements set it, no trigger does."""
    timezone: Mapped[str | None] = mapped_column(comment=CREATED_BY_US)
    position_at: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    position_event_id: Mapped[UUID | None] = mapped_column(comment=CREATED_BY_US)
    position_sequence: Mapped[str | None] = mapped_column(BYTEWISE, comment=CREATED_BY_US)
    position_type: Mapped[str | None] = mapped_column(LESSON_EVENT_TYPE, comment=CREATED_BY_US)
    position_tied: Mapped[bool | None] = mapped_column(comment=CREATED_BY_US)
    """The latest events, of several lessons, are tied; the outline's order decides."""
    enrolled_at: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    enrolled_event_id: Mapped[UUID | None] = mapped_column(comment=CREATED_BY_US)
    stale_since: Mapped[datetime | None] = mapped_column(server_default=func.now(), comment=CREATED_BY_US)
    """When its summary became stale; null when it is current."""
    history_from: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    """Retention deleted events recorded before this; null while the ledger is complete."""


class UserCourseProgress(Base):
    """An enrollment's progress in one lesson."""

    __tablename__ = "user_course_progress"
    __table_args__ = (
        UniqueConstraint("user_course_id", "topic_id", "lesson_id", postgresql_include=["status"]),
        Index(None, "status"),
        Index(None, "created_at", postgresql_using="brin"),
        Index("ix_user_course_progress_corrected", "user_course_id", postgresql_where=text("corrected_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"))
    topic_id: Mapped[int] = mapped_column(Integer)
    lesson_id: Mapped[int] = mapped_column(Integer)
    status: Mapped[ProgressStatus] = mapped_column(PROGRESS_STATUS, server_default="not_started")
    last_viewed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    corrected_at: Mapped[datetime | None] = mapped_column(comment="Time of the ruling correction")
    section_id: Mapped[int | None] = mapped_column(Integer)
    """The latest section; the next four columns are the order of its event."""
    section_at: Mapped[datetime | None]
    section_sequence: Mapped[str | None] = mapped_column(BYTEWISE)
    section_type: Mapped[str | None] = mapped_column(LESSON_EVENT_TYPE)
    section_event_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the row last changed, by PostgreSQL's clock. Our statements set it, no trigger does."""


class LessonEvent(Base):
    """The ledger: one row per identity. Corrections keep their snapshot here.

    A trigger on `user_course` deletes an enrollment's events. A foreign key would look up each event's enrollment,
    which every batch has locked anyway.
    """

    __tablename__ = "lesson_event"
    __table_args__ = (Index(None, "recorded_at", postgresql_using="brin"),)

    user_course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    type: Mapped[str] = mapped_column(LESSON_EVENT_TYPE)
    topic_id: Mapped[int] = mapped_column(Integer)
    lesson_id: Mapped[int] = mapped_column(Integer)
    section_id: Mapped[int | None] = mapped_column(Integer)
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    corrected_status: Mapped[ProgressStatus | None] = mapped_column(PROGRESS_STATUS)
    corrected_last_viewed_at: Mapped[datetime | None]
    corrected_completed_at: Mapped[datetime | None]
    sequence: Mapped[str] = mapped_column(BYTEWISE, server_default="")


class VoidedEvent(Base):
    """An event that was voided; later deliveries of it are ignored."""

    __tablename__ = "voided_event"

    user_course_id: Mapped[int] = mapped_column(
        ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    type: Mapped[str] = mapped_column(LESSON_EVENT_TYPE)
    topic_id: Mapped[int] = mapped_column(Integer)
    lesson_id: Mapped[int] = mapped_column(Integer)
    section_id: Mapped[int | None] = mapped_column(Integer)
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    corrected_status: Mapped[ProgressStatus | None] = mapped_column(PROGRESS_STATUS)
    corrected_last_viewed_at: Mapped[datetime | None]
    corrected_completed_at: Mapped[datetime | None]
    voided_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sequence: Mapped[str] = mapped_column(BYTEWISE, server_default="")


class EnrollmentEvent(Base):
    """A recorded `enrollment.created`, one per identity. The latest made the enrollment's row.

    Together they are the history of its time zone.
    """

    __tablename__ = "enrollment_event"

    user_course_id: Mapped[int] = mapped_column(
        ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime]
    sequence: Mapped[str] = mapped_column(BYTEWISE, server_default="")
    arrival: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The stream entry's id as a number, which orders events of equal time and sequence."""
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    course_id: Mapped[int | None] = mapped_column(BigInteger)
    timezone: Mapped[str | None]
    by_lms: Mapped[bool] = mapped_column(server_default=text("false"))
    """Not an event: a trigger recorded that the LMS updated `timezone`."""


class DeadLetter(Base):
    """A stream entry that could not be applied, or not yet, with the reason and its original bytes."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        UniqueConstraint("stream", "entry_id", "body_digest", "fields_digest"),
        Index(
            "ix_dead_letter_parked",
            "user_course_id",
            postgresql_where=text(f"reason = '{Reason.UNKNOWN_ENROLLMENT.value}'"),
        ),
        Index("ix_dead_letter_reason_id", "reason", "id"),
        Index(
            "ix_dead_letter_lesson",
            *("lesson_source", "lesson_key", "lesson_course_id"),
            postgresql_where=text(f"reason = '{Reason.UNKNOWN_LESSON.value}'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stream: Mapped[str]
    entry_id: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    user_course_id: Mapped[int | None] = mapped_column(BigInteger, comment="The unknown enrollment it waits for")
    body: Mapped[bytes | None]
    body_digest: Mapped[bytes] = mapped_column(
        Computed("coalesce(sha256(body), '\\x'::bytea)", persisted=True),
        comment="SHA-256 of the body; empty where there is none",
    )
    """Part of the key because another Redis may reuse an entry id for other bytes."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    fields: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary), comment="Other fields: name, value, …")
    fields_digest: Mapped[bytes] = mapped_column(
        server_default=text("'\\x'"), comment="SHA-256 of the other fields; empty where there are none"
    )
    lesson_source: Mapped[str | None] = mapped_column(BYTEWISE, comment="Connection of the lesson it waits for")
    lesson_key: Mapped[str | None] = mapped_column(BYTEWISE, comment="The unknown lesson it waits for")
    lesson_course_id: Mapped[int | None] = mapped_column(BigInteger, comment="Its course; 0: any")
