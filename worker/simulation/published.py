"""A simulated stream entry, and the encoding of events."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.contract.entry import Reason

SOURCE = "/lms/simulated"


@dataclass(frozen=True, slots=True)
class Published:
    """An entry and its expected verdict.

    `body` is the field `event` (None: no such field), `key` selects the partition, and `reason` is the expected reason
    of its dead letter (None: it must be applied).
    """

    body: bytes | None
    key: int | None
    reason: Reason | None = None


def cloud_event(event_id: str, event_type: str, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent as a mapping."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "time": time.isoformat().replace("+00:00", "Z"),
        "data": data,
    }


def encode(event: dict[str, Any]) -> bytes:
    """Return the event as most publishers would encode it."""
    return json.dumps(event, separators=(",", ":")).encode()
