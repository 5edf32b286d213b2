"""What Open edX puts on its event bus in Redis, byte for byte, written by Avro's specification (1.11.1).

Binary encoding: a record is its fields in order, a union the number of the branch and its value, a text its length
and its UTF-8.
"""

import json
from typing import Any

from tests.support.tracking import COURSE, TIME
from worker.adapters.edx_bus import EMITTED, ENROLLED

ID = "ad03cc1f-2600-4fc3-98c2-8c02cce5c292"


def long(value: int) -> bytes:
    """Zigzag, then seven bits a byte, the lowest first."""
    zigzag = value * 2 if value >= 0 else -value * 2 - 1
    encoded = b""
    while zigzag > 0x7F:
        encoded += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return encoded + bytes([zigzag])


def string(value: str) -> bytes:
    return long(len(value.encode())) + value.encode()


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def optional(value: str | None) -> bytes:
    return long(0) if value is None else long(1) + string(value)


def tracking_log(event: dict[str, Any]) -> bytes:
    """A TrackingLogData."""
    texts = (event["name"], event["timestamp"], json.dumps(event["data"]), json.dumps(event["context"]))
    return b"".join(map(string, texts))


def user(user_id: int) -> bytes:
    """A UserData: id, is_active, and pii: username, email, name."""
    return long(user_id) + boolean(True) + string("ann") + string("ann@example.org") + string("Ann Ö")


def enrollment(
    user_id: int = 4,
    course: str = COURSE,
    created: str = TIME,
    *,
    is_active: bool = True,
    start: str | None = None,
    created_by: int | None = None,
) -> bytes:
    """A CourseEnrollmentData."""
    course_data = string(course) + string("A course") + optional(start) + optional(None)
    by = long(0) if created_by is None else long(1) + user(created_by)
    return user(user_id) + course_data + string("audit") + boolean(is_active) + string(created) + by


def entry(event_type: str, payload: bytes, header_id: str = ID) -> dict[bytes, bytes]:
    """The fields of an entry, as edx-event-bus-redis names them."""
    headers = {
        "id": header_id,
        "type": event_type,
        "source": "openedx/lms/web",
        "time": "2024-03-04T10:30:01+00:00",
        "minorversion": "0",
        "sourcehost": "lms-1",
        "sourcelib": "9.5.0",
    }
    return {name.encode(): value.encode() for name, value in headers.items()} | {b"event_data": payload}


def emitted(event: dict[str, Any], header_id: str = ID) -> dict[bytes, bytes]:
    return entry(EMITTED, tracking_log(event), header_id)


def enrolled(header_id: str = ID, **changes: Any) -> dict[bytes, bytes]:
    return entry(ENROLLED, enrollment(**changes), header_id)
