"""Add the system's identity and what was committed of each stream."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "e2a71c4b8f03"
down_revision = "d1f60b3a7e92"
branch_labels = None
depends_on = None

aware = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "progress_system",
        sa.Column("single", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "replays", sa.Integer, server_default=sa.text("0"), nullable=False, comment="How often commits were lost"
        ),
        sa.Column("commits_lost_at", aware),
        sa.Column(
            "entries_replayed", sa.BigInteger, server_default=sa.text("0"), nullable=False, comment="The last time"
        ),
        sa.Column("applied_again", sa.BigInteger, server_default=sa.text("0"), nullable=False, comment="Of those"),
        sa.Column("replay_cursor", postgresql.JSONB, comment="Stream to entry id; null: no replay is going on"),
        sa.Column("redis_put_back_at", aware),
        sa.Column("publish_again_from", aware, comment="Null: nothing is missing, the last time"),
        sa.Column("positions_since", aware, comment="Rows of stream_position before may be deleted"),
        sa.Column("refused_at", aware, comment="The streams were found to be another system's"),
        sa.CheckConstraint("single", name="one_row"),
        sa.PrimaryKeyConstraint("single", name="pk_progress_system"),
    )
    op.execute("INSERT INTO progress_system DEFAULT VALUES")
    # Room on each page for the next versions of its rows: every batch updates its consumer's.
    op.create_table(
        "stream_position",
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("milliseconds", sa.Numeric(20, 0), nullable=False, comment="Of the highest entry id committed"),
        sa.Column("sequence", sa.Numeric(20, 0), nullable=False),
        sa.Column("batches", sa.BigInteger, server_default=sa.text("1"), nullable=False, comment="Transactions so far"),
        sa.Column("recorded_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "consumer", name="pk_stream_position"),
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.drop_table("stream_position")
    op.drop_table("progress_system")
