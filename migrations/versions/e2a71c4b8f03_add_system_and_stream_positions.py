"""Add the system's identity and what was committed of each stream."""

revision = "e2a71c4b8f03"
down_revision = "d1f60b3a7e92"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
