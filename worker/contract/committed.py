"""What one consumer has committed of one stream, written to Redis with each acknowledgment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Committed:
    """The number of transactions, and the time of the last one by PostgreSQL's clock."""

    batches: int
    recorded_at: datetime

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the text in Redis; None if it is not ours."""
        batches, _, seconds = text.partition("@")
        try:
            return cls(int(batches), datetime.fromtimestamp(float(seconds), UTC))
        except (ValueError, OverflowError, OSError):
            return None

    def __str__(self) -> str:
        """The text stored in Redis."""
        return f"{self.batches}@{self.recorded_at.timestamp()}"
