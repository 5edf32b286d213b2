"""Tell dead letters of one entry id apart by their bytes."""

revision = "d1f60b3a7e92"
down_revision = "c8d15f3e6a20"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
