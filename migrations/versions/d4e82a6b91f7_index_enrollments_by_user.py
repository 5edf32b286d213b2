"""Index the enrollments by user, so that those of one are listed without reading all."""

from alembic import op

revision = "d4e82a6b91f7"
down_revision = "c7d2f81b6e04"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_user_course_user_id_id", "user_course", ["user_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_user_course_user_id_id", "user_course")
