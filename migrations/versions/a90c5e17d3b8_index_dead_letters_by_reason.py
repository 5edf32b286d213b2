"""Index the dead letters by reason: after a flood they are counted, listed and deleted without reading their bytes."""

from alembic import op

revision = "a90c5e17d3b8"
down_revision = "f3a9c27e4d10"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_dead_letter_reason_id", "dead_letter", ["reason", "id"])


def downgrade() -> None:
    op.drop_index("ix_dead_letter_reason_id", "dead_letter")
