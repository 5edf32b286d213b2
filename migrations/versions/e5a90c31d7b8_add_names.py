"""Add the map from names to numbers, and let dead letters wait for a lesson."""

import sqlalchemy as sa
from alembic import op

revision = "e5a90c31d7b8"
down_revision = "d4e82a6b91f7"
branch_labels = None
depends_on = None

bytewise = sa.Text(collation="C")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE external_id_seq START 1000000000")
    op.execute("CREATE SEQUENCE external_lesson_id_seq AS integer START 1000000000")
    op.create_table(
        "external_id",
        sa.Column("kind", bytewise, nullable=False),
        sa.Column("source", bytewise, nullable=False, comment="The connection"),
        sa.Column("key", bytewise, nullable=False),
        sa.Column(
            "scope", sa.BigInteger, server_default="0", nullable=False, comment="The course of a topic or lesson"
        ),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.Integer, comment="Of a lesson: that of its first naming"),
        sa.Column(
            "is_alias", sa.Boolean, server_default=sa.false(), nullable=False, comment="Of a lesson: not its own name"
        ),
        sa.Column(
            "ignored", sa.Boolean, server_default=sa.false(), nullable=False, comment="Of a user: does not count"
        ),
        sa.PrimaryKeyConstraint("kind", "source", "key", "scope", name="pk_external_id"),
        sa.CheckConstraint("kind IN ('user', 'course', 'topic', 'lesson')", name="ck_external_id_kind"),
        sa.CheckConstraint("octet_length(key) <= 1024", name="ck_external_id_key"),
    )
    op.create_index("ix_external_id_kind_id", "external_id", ["kind", "id"])
    op.create_table(
        "external_enrollment",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("course_id", sa.BigInteger, nullable=False),
        sa.Column("user_course_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "course_id", name="pk_external_enrollment"),
        sa.UniqueConstraint("user_course_id", name="uq_external_enrollment_user_course_id"),
    )
    op.add_column("dead_letter", sa.Column("lesson_source", bytewise, comment="Connection of the lesson it waits for"))
    op.add_column("dead_letter", sa.Column("lesson_key", bytewise, comment="The unknown lesson it waits for"))
    op.add_column("dead_letter", sa.Column("lesson_course_id", sa.BigInteger, comment="Its course; 0: any"))
    op.create_index(
        "ix_dead_letter_lesson",
        "dead_letter",
        ["lesson_source", "lesson_key", "lesson_course_id"],
        postgresql_where=sa.text("reason = 'unknown_lesson'"),
    )


def downgrade() -> None:
    op.drop_index("ix_dead_letter_lesson", "dead_letter")
    for column in ("lesson_course_id", "lesson_key", "lesson_source"):
        op.drop_column("dead_letter", column)
    op.drop_table("external_enrollment")
    op.drop_table("external_id")
    op.execute("DROP SEQUENCE external_lesson_id_seq, external_id_seq")
