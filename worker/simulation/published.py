"""One simulated stream entry, and how an event becomes its bytes."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.contract.entry import Reason

SOURCE = "/lms/simulated"


@dataclass(frozen=True, slots=True)
class Published:
    """What is published, and the verdict it must get.

    `body` is what the field `event` holds (None: the entry has no such field), `key` chooses the partition, `reason`
    is why it must stand in `dead_letter`; None: it must be applied.
    """

    body: bytes | None
    key: int | None
    reason: Reason | None = None


def cloud_event(event_id: str, event_type: str, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent as a mapping."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "time": time.isoformat().replace("+00:00", "Z"),
        "data": data,
    }


def encode(event: dict[str, Any]) -> bytes:
    """The event as most publishers would write it."""
    return json.dumps(event, separators=(",", ":")).encode()
