"""Tell dead letters of one entry id apart by their bytes."""

import sqlalchemy as sa
from alembic import op

from worker.errors import SchemaError

revision = "d1f60b3a7e92"
down_revision = "c8d15f3e6a20"
branch_labels = None
depends_on = None

DUPLICATES = sa.text("SELECT count(*) - count(DISTINCT (stream, entry_id)) FROM dead_letter")


def upgrade() -> None:
    op.add_column(
        "dead_letter",
        sa.Column(
            "body_digest",
            sa.LargeBinary,
            sa.Computed("coalesce(sha256(body), '\\x'::bytea)", persisted=True),
            nullable=False,
            comment="SHA-256 of the body; empty where there is none",
        ),
    )
    op.drop_constraint("uq_dead_letter_stream_entry_id", "dead_letter")
    op.create_unique_constraint(
        "uq_dead_letter_stream_entry_id_body_digest", "dead_letter", ["stream", "entry_id", "body_digest"]
    )


def downgrade() -> None:
    if number := op.get_bind().scalar(DUPLICATES):
        raise SchemaError(
            f"{number} dead letters share stream and entry id with another one, which the older schema cannot hold. "
            "Redrive or delete them (`progress-worker dead-letters`), then downgrade again."
        )
    op.drop_constraint("uq_dead_letter_stream_entry_id_body_digest", "dead_letter")
    op.drop_column("dead_letter", "body_digest")
    op.create_unique_constraint("uq_dead_letter_stream_entry_id", "dead_letter", ["stream", "entry_id"])
