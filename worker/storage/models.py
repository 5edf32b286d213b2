"""The tables.

| table                  | one row per                              | written by         | grows with             |
|------------------------|------------------------------------------|--------------------|------------------------|
| `user_course`          | enrolment                                | LMS, ingest        | enrolments             |
| `user_course_progress` | (enrolment, topic, lesson)               | ingest             | lessons touched        |
| `lesson_event`         | distinct lesson event or correction      | ingest             | events; retention      |
| `course`               | course with an outline                   | ingest             | courses                |
| `course_lesson`        | lesson of a course's live outline        | ingest             | lessons                |
| `dead_letter`          | stream entry that could not be applied   | ingest, redrive    | bad or early events    |
| `user_course_summary`  | enrolment: its summary                   | summary refresh    | enrolments             |
| `enrollment_change`    | change by an LMS not yet in a summary    | triggers           | such changes; emptied  |
| `course_change`        | change not yet in a course's statistics  | refresh, outlines, triggers | refreshes; emptied |
| `course_statistics`    | course                                   | statistics refresh | courses                |
| `lesson_statistics`    | lesson of a course that counts           | statistics refresh | lessons                |
| `course_figures`       | course                                   | statistics refresh | courses                |
| `week_figures`         | week of a course with anything in it     | statistics refresh | weeks                  |
| `lesson_figures`       | lesson of a course that counts           | statistics refresh | lessons                |
| `activity_change`      | change not yet in an activity            | whatever changes it | refreshes; emptied    |
| `enrollment_activity`  | enrolment: its activity                  | activity refresh   | enrolments             |
| `topic_activity`       | (enrolment, topic) with events           | activity refresh   | topics touched         |
| `lesson_activity`      | (enrolment, lesson) with events          | activity refresh   | lessons touched        |
| `daily_activity`       | (enrolment, local day) with activity     | activity refresh   | days of activity       |
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from worker.domain.entry import Reason
from worker.domain.status import ProgressStatus

__all__ = [
    "ActivityChange",
    "Base",
    "Course",
    "CourseChange",
    "CourseFigures",
    "CourseLesson",
    "CourseStatistics",
    "DailyActivity",
    "DeadLetter",
    "EnrollmentActivity",
    "EnrollmentChange",
    "LessonActivity",
    "LessonEvent",
    "LessonFigures",
    "LessonStatistics",
    "ProgressStatus",
    "TopicActivity",
    "UserCourse",
    "UserCourseProgress",
    "UserCourseSummary",
    "WeekFigures",
]

CREATED_BY_US = "Made by the course-progress worker"
"""Comment on the table and columns that a downgrade may drop from a `user_course` that an LMS may own."""


class Base(DeclarativeBase):
    """Explicit constraint names, `bigint` and aware times throughout."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        str: Text(),
        bytes: LargeBinary(),
        Decimal: Numeric(5, 2),
        float: Double(),
    }


PROGRESS_STATUS = Enum(
    ProgressStatus, name="progress_status", values_callable=lambda kind: [each.value for each in kind]
)
LESSON_EVENT_TYPE = Enum("viewed", "completed", "corrected", name="lesson_event_type")


class UserCourse(Base):
    """An enrolment, with the cached position: topic, lesson and section of its latest lesson event."""

    __tablename__ = "user_course"
    __table_args__ = (
        Index(None, "stale_since", postgresql_where=text("stale_since IS NOT NULL")),
        Index(None, "course_id", "id"),
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
    timezone: Mapped[str | None] = mapped_column(comment=CREATED_BY_US)
    position_at: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    position_event_id: Mapped[UUID | None] = mapped_column(comment=CREATED_BY_US)
    enrolled_at: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    enrolled_event_id: Mapped[UUID | None] = mapped_column(comment=CREATED_BY_US)
    stale_since: Mapped[datetime | None] = mapped_column(server_default=func.now(), comment=CREATED_BY_US)
    """Oldest change that its summary does not show yet; null when there is none."""
    history_from: Mapped[datetime | None] = mapped_column(comment=CREATED_BY_US)
    """Retention deleted events recorded before this; null while the ledger has them all."""


class UserCourseProgress(Base):
    """How far an enrolment is with one lesson."""

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
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LessonEvent(Base):
    """The ledger: what was recorded, once per identity. Corrections keep their snapshot here.

    An enrolment's events go with it by a trigger on `user_course`: a foreign key would look up each event's enrolment,
    which every batch holds locked anyway.
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


class DeadLetter(Base):
    """A stream entry that could not be applied (yet): why, and its original bytes."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        UniqueConstraint("stream", "entry_id"),
        Index(
            "ix_dead_letter_parked",
            "user_course_id",
            postgresql_where=text(f"reason = '{Reason.UNKNOWN_ENROLLMENT.value}'"),
        ),
        Index("ix_dead_letter_reason_id", "reason", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stream: Mapped[str]
    entry_id: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    user_course_id: Mapped[int | None] = mapped_column(BigInteger, comment="The unknown enrolment it waits for")
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UserCourseSummary(Base):
    """The summary of an enrolment when it was last refreshed.

    It is current while its enrolment is not stale and has no mark of a change, and has this course, and the course's
    outline is still of this version (0: the course had none).
    """

    __tablename__ = "user_course_summary"
    __table_args__ = (
        Index(None, "course_id", "outline_version"),
        CheckConstraint("next_reason IN ('after_current', 'not_completed')", name="next_reason"),
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
    """A mark like `user_course.stale_since`, made by an LMS that inserts or deletes progress rows ahead of any event.

    Only ever inserted and deleted, so that its transactions lock nothing more than before.
    """

    __tablename__ = "enrollment_change"
    __table_args__ = (Index(None, "user_course_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_course_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
    """How a course's enrolments are doing, exactly as of one instant, that of its lessons' statistics too."""

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


class CourseFigures(Base):
    """What a course's learners show together, as of the same instant as its statistics."""

    __tablename__ = "course_figures"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    sessions: Mapped[int] = mapped_column(Integer)
    session_seconds: Mapped[float]
    events_by_hour: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """By hour of the learners' local weeks, as in `enrollment_activity`."""
    median_days: Mapped[float | None]


class WeekFigures(Base):
    """The same week by week, those of its learners' own calendars."""

    __tablename__ = "week_figures"

    course_id: Mapped[int] = mapped_column(ForeignKey(CourseStatistics.course_id, ondelete="CASCADE"), primary_key=True)
    monday: Mapped[date] = mapped_column(primary_key=True)
    completed: Mapped[int] = mapped_column(Integer)
    learners: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]


class LessonFigures(Base):
    """The same of one lesson that counts."""

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


class ActivityChange(Base):
    """A mark: the enrolment's events changed at this time, and its activity does not show it yet.

    Only ever inserted and deleted, so that nobody waits for anybody; several marks of one enrolment are the rule.
    """

    __tablename__ = "activity_change"
    __table_args__ = (Index(None, "user_course_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_course_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EnrollmentActivity(Base):
    """What an enrolment did, in all; of its events that the ledger has, so since `history_from` where that is set.

    Here and below: `seconds` is the time spent, `measured_seconds` what of it the events themselves told; where both
    are the same it is measured, else estimated.
    """

    __tablename__ = "enrollment_activity"

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
    """The same of one day by the enrolment's own clock, with the number of its events."""

    __tablename__ = "daily_activity"

    user_course_id: Mapped[int] = mapped_column(ForeignKey(UserCourse.id, ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    seconds: Mapped[float]
    measured_seconds: Mapped[float]
    events: Mapped[int] = mapped_column(Integer)
