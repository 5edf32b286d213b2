"""Names of learners, courses, topics and lessons, and the numbers that stand for them in all other tables."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Sequence, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.contract.value_types import MAX_NAME_BYTES
from worker.database.models.base import BYTEWISE, Base

FIRST_NUMBER = 1_000_000_000
"""Numbers given to names begin here, above the ids that an LMS of the same database is likely to use itself."""

NUMBERS = Sequence("external_id_seq", start=FIRST_NUMBER, metadata=Base.metadata)
"""Of users, courses and enrollments."""
LESSON_NUMBERS = Sequence("external_lesson_id_seq", data_type=Integer, start=FIRST_NUMBER, metadata=Base.metadata)
"""Of topics and lessons."""


class ExternalId(Base):
    """A name of a connection. Several names may have one number: aliases."""

    __tablename__ = "external_id"
    __table_args__ = (
        CheckConstraint("kind IN ('user', 'course', 'topic', 'lesson')", name="kind"),
        CheckConstraint(f"octet_length(key) <= {MAX_NAME_BYTES}", name="key"),
        Index(None, "kind", "id"),
    )

    kind: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    source: Mapped[str] = mapped_column(BYTEWISE, primary_key=True, comment="The connection")
    key: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    """The name; empty for the topic of lessons without one."""
    scope: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default="0", comment="The course of a topic or lesson"
    )
    id: Mapped[int] = mapped_column(BigInteger)
    topic_id: Mapped[int | None] = mapped_column(Integer, comment="Of a lesson: that of its first naming")
    is_alias: Mapped[bool] = mapped_column(server_default=text("false"), comment="Of a lesson: not its own name")
    ignored: Mapped[bool] = mapped_column(server_default=text("false"), comment="Of a user: does not count")


class ExternalEnrollment(Base):
    """The enrollment of a named user in a named course; its row in `user_course` may not exist yet."""

    __tablename__ = "external_enrollment"
    __table_args__ = (UniqueConstraint("user_course_id"),)

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    course_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_course_id: Mapped[int] = mapped_column(BigInteger)
