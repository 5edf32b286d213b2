"""The base class and types of all tables."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import DateTime, Double, Enum, LargeBinary, MetaData, Numeric, Text
from sqlalchemy.orm import DeclarativeBase

from worker.contract.progress_status import ProgressStatus

CREATED_BY_US = "Made by the course-progress worker"
"""Comment on what a downgrade may drop; the rest of `user_course` may be an LMS's."""


class Base(DeclarativeBase):
    """Explicit constraint names and aware times throughout."""

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
BYTEWISE = Text(collation="C")
"""Compared by bytes, whatever the database's collation."""
LESSON_EVENT_TYPE = Enum("viewed", "completed", "corrected", name="lesson_event_type")
