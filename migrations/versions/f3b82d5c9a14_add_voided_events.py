"""Add voided events and failed activities; delete an enrollment's rows everywhere."""

revision = "f3b82d5c9a14"
down_revision = "e2a71c4b8f03"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
