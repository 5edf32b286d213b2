"""A record of an LMS that should have been usable and is not: it goes on the stream to become a dead letter."""

from typing import Any, Literal

from worker.contract.event import CloudEvent, Members

MAX_RECORD_BYTES = 64 * 1024
KEPT_BYTES = 32 * 1024
"""A longer record is cut to this many bytes."""


class RejectedRecord(Members):
    """The record as it came, personal details included, and why no event was made of it."""

    format: str
    reason: str
    detail: str
    record: Any


class RecordRejected(CloudEvent):
    """An adapter could not translate a record."""

    type: Literal["record.rejected"] = "record.rejected"
    data: RejectedRecord

    def to_json(self) -> bytes:
        """Return the event as it is published, with the record's own nulls."""
        return self.model_dump_json().encode()
