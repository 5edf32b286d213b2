"""Translate one record by its format, with one of four outcomes, the same for the API and the command line.

Events are published; an ignored record is only counted; a rejected one is published as `record.rejected`, which becomes
a dead letter; the fourth outcome, parked, is decided when an event is recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from pydantic_core import PydanticSerializationError, from_json, to_json

from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent, partition_key_of
from worker.contract.record_rejected import KEPT_BYTES, MAX_RECORD_BYTES, RecordRejected, RejectedRecord

Translate = Callable[[object, Connection, datetime], list[NamedEvent]]
"""Returns the events of one record, parsed from JSON or a row of CSV as a mapping, that arrived at a time.

Depends on its arguments alone. Raises Ignored or Rejected, and nothing else for any record.
"""


@dataclass(frozen=True, slots=True)
class Translation:
    """What became of one record."""

    events: list[NamedEvent] = field(default_factory=list)
    ignored: str | None = None
    """The reason, if it was ignored."""
    rejected: RecordRejected | None = None

    @property
    def messages(self) -> list[tuple[int | None, bytes]]:
        """Partition keys and bytes to publish; see `EventPublisher.publish_raw`."""
        if self.rejected:
            return [(None, self.rejected.to_json())]
        return [(partition_key_of(event), event.to_json()) for event in self.events]


def translate(
    record: object, format_name: str, how: Translate, connection: Connection, arrived: datetime
) -> Translation:
    """Translate a record that arrived at this time."""
    try:
        return Translation(events=how(record, connection, arrived))
    except Ignored as ignored:
        return Translation(ignored=ignored.reason)
    except Rejected as rejected:
        return Translation(rejected=reject(record, format_name, rejected, connection, arrived))


def reject(
    record: object, format_name: str, why: Rejected, connection: Connection, arrived: datetime
) -> RecordRejected:
    """Return the event that keeps the record: parsed JSON, or bytes that are no JSON."""
    content, kept = _content(record)
    if len(content) > MAX_RECORD_BYTES:
        kept = content[:KEPT_BYTES].decode(errors="replace")
    return RecordRejected(
        id=f"sha256:{sha256(content).hexdigest()}",
        source=connection.name,
        time=arrived,
        data=RejectedRecord(format=format_name, reason=why.reason, detail=why.detail, record=kept),
    )


def _content(record: object) -> tuple[bytes, object]:
    """Return the record's bytes, and what JSON can have of it: text in place of what is none."""
    if isinstance(record, bytes):
        return record, record.decode(errors="replace")
    try:
        content = to_json(record, inf_nan_mode="null")
        return content, from_json(content)
    except (PydanticSerializationError, ValueError, RecursionError):  # a surrogate, or nested too deep
        try:
            text = repr(record)
        except RecursionError:
            text = f"a {type(record).__name__} nested too deep to be kept"
        return text.encode(errors="replace"), text.encode(errors="replace").decode()
