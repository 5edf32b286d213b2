"""The system and the positions that its consumers have committed."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Integer, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.database.models.base import Base


class ProgressSystem(Base):
    """A single row: the system's identity and its last repairs."""

    __tablename__ = "progress_system"
    __table_args__ = (CheckConstraint("single", name="one_row"),)

    single: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    replays: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="How often commits were lost")
    commits_lost_at: Mapped[datetime | None]
    entries_replayed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), comment="The last time")
    applied_again: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), comment="Of those")
    replay_cursor: Mapped[dict[str, str] | None] = mapped_column(
        JSONB, comment="Stream to entry id; null: no replay is going on"
    )
    redis_put_back_at: Mapped[datetime | None]
    publish_again_from: Mapped[datetime | None] = mapped_column(comment="Null: nothing is missing, the last time")
    positions_since: Mapped[datetime | None] = mapped_column(comment="Rows of stream_position before may be deleted")
    refused_at: Mapped[datetime | None] = mapped_column(comment="The streams were found to be another system's")


class StreamPosition(Base):
    """One consumer's committed position in a stream; only that consumer writes the row."""

    __tablename__ = "stream_position"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    stream: Mapped[str] = mapped_column(primary_key=True)
    consumer: Mapped[str] = mapped_column(primary_key=True)
    milliseconds: Mapped[Decimal] = mapped_column(Numeric(20, 0), comment="Of the highest entry id committed")
    sequence: Mapped[Decimal] = mapped_column(Numeric(20, 0))
    batches: Mapped[int] = mapped_column(BigInteger, server_default=text("1"), comment="Transactions so far")
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
