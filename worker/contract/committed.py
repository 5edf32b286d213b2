"""What one consumer has committed of one stream: what it writes beside the stream with each acknowledgment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Committed:
    """So many transactions; the last one at this time of PostgreSQL's clock."""

    batches: int
    recorded_at: datetime

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From the text beside a stream; None where somebody else wrote it."""
        batches, _, seconds = text.partition("@")
        try:
            return cls(int(batches), datetime.fromtimestamp(float(seconds), UTC))
        except (ValueError, OverflowError, OSError):
            return None

    def __str__(self) -> str:
        """The text beside a stream."""
        return f"{self.batches}@{self.recorded_at.timestamp()}"
