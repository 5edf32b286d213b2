"""Add the ledger: one row per distinct lesson event or correction.

Not partitioned by time: a unique key would have to contain the time, and the same event sent again with another time
would count twice.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "c41f9b0d7e52"
down_revision = "b32e785910da"
branch_labels = None
depends_on = None

progress_status = postgresql.ENUM("not_started", "in_progress", "completed", name="progress_status", create_type=False)
event_type = postgresql.ENUM("viewed", "completed", "corrected", name="lesson_event_type", create_type=False)
aware = sa.DateTime(timezone=True)


def upgrade() -> None:
    event_type.create(op.get_bind(), checkfirst=False)
    op.create_table(
        "lesson_event",
        sa.Column("user_course_id", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", aware, nullable=False),
        sa.Column("recorded_at", aware, server_default=sa.func.now(), nullable=False),
        sa.Column("type", event_type, nullable=False),
        sa.Column("topic_id", sa.Integer, nullable=False),
        sa.Column("lesson_id", sa.Integer, nullable=False),
        sa.Column("section_id", sa.Integer),
        sa.Column("duration_seconds", sa.Integer),
        sa.Column("corrected_status", progress_status),
        sa.Column("corrected_last_viewed_at", aware),
        sa.Column("corrected_completed_at", aware),
        sa.PrimaryKeyConstraint("user_course_id", "event_id", name="pk_lesson_event"),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name="fk_lesson_event_user_course_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_lesson_event_recorded_at", "lesson_event", ["recorded_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_table("lesson_event")
    event_type.drop(op.get_bind(), checkfirst=True)
