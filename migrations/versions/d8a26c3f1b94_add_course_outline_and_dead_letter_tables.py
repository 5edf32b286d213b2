"""Add the courses' outlines and the dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "d8a26c3f1b94"
down_revision = "c41f9b0d7e52"
branch_labels = None
depends_on = None

aware = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "course",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("outlined_at", aware, nullable=False),
        sa.Column("outline_event_id", sa.Uuid, nullable=False),
        sa.Column(
            "version",
            sa.Integer,
            server_default="1",
            nullable=False,
            comment="Rises with each outline that takes effect",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_course"),
    )
    op.create_table(
        "course_lesson",
        sa.Column("course_id", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("lesson_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("title", sa.Text),
        sa.PrimaryKeyConstraint("course_id", "topic_id", "lesson_id", name="pk_course_lesson"),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name="fk_course_lesson_course_id", ondelete="CASCADE"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("entry_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("user_course_id", sa.BigInteger, comment="The unknown enrollment it waits for"),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letter"),
        sa.UniqueConstraint("stream", "entry_id", name="uq_dead_letter_stream_entry_id"),
    )
    op.create_index(
        "ix_dead_letter_parked",
        "dead_letter",
        ["user_course_id"],
        postgresql_where=sa.text("reason = 'unknown_enrollment'"),
    )


def downgrade() -> None:
    op.drop_table("dead_letter")
    op.drop_table("course_lesson")
    op.drop_table("course")
