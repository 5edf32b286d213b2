"""Translate events of Open edX's event bus: those of its tracker, and new enrollments.

A record is an entry of the bus's stream in Redis: `{"stream_entry": {header: text}, "event_data_hex": …}`. The data is
Avro without its schema, by which a payload may only grow at its end.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from worker.adapters.avro import AvroError, AvroReader
from worker.adapters.edx_keys import unescaped
from worker.adapters.edx_tracking import JsonObject, translate_event
from worker.adapters.names import hashed_id, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.identity import is_identity
from worker.contract.named_event import NamedEnrollment, NamedEnrollmentCreated, NamedEvent

EMITTED = "org.openedx.analytics.tracking.event.emitted.v1"
ENROLLED = "org.openedx.learning.course.enrollment.created.v1"
HEADERS = "stream_entry"
PAYLOAD = "event_data_hex"

_FIELD = b"event_data"
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def read_entry(fields: Mapping[bytes, bytes]) -> JsonObject:
    """Return the record of an entry with these fields, whatever they are."""
    headers = {
        field.decode(errors="replace"): value.decode(errors="replace")
        for field, value in fields.items()
        if field != _FIELD
    }
    return {HEADERS: headers, PAYLOAD: fields.get(_FIELD, b"").hex()}


def translate_entry(record: JsonObject, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the events of an entry; see `worker.adapters.translation.Translate`."""
    headers, payload = record.get(HEADERS), record.get(PAYLOAD)
    headers = headers if isinstance(headers, dict) else {}
    event_type = headers.get("type")
    if not isinstance(event_type, str) or not event_type:
        raise Rejected("missing_member", "The entry of the event bus has no type")
    if event_type not in (EMITTED, ENROLLED):
        raise Ignored("event_type")
    if not isinstance(payload, str) or not _HEX.fullmatch(payload):
        raise _unreadable("It is not hexadecimal")
    reader = AvroReader(bytes.fromhex(payload))
    try:
        if event_type == EMITTED:
            return translate_event(_tracking_event(reader), connection, arrived)
        return [_enrollment(reader, headers.get("id"), connection, arrived)]
    except AvroError as problem:
        raise _unreadable(str(problem)) from None


def _tracking_event(reader: AvroReader) -> JsonObject:
    """Return a TrackingLogData as the tracker had it; its data and context are JSON in texts."""
    name, timestamp, data, context = (reader.read_string() for _ in range(4))
    return {"name": name, "timestamp": timestamp, "data": data, "context": context}


def _enrollment(reader: AvroReader, header_id: object, connection: Connection, arrived: datetime) -> NamedEvent:
    """Return the event of a CourseEnrollmentData: user, course, mode, is_active, creation_date and who made it."""
    user_id = reader.read_long()
    reader.read_boolean()
    for _ in ("username", "email", "name"):
        reader.read_string()
    course = unescaped(reader.read_string())
    reader.read_string()
    for _ in ("start", "end"):
        reader.read_optional_string()
    reader.read_string()
    is_active, created = reader.read_boolean(), reader.read_string()
    if not is_active:
        raise Ignored("unenrolment")
    if user_id <= 0:
        raise Ignored("anonymous")
    if not course:
        raise Rejected("missing_member", "The enrollment has no course_key")
    time, learner, course = read_time(created, connection, arrived), f"user:{user_id}", to_name(course)
    own_id = header_id if isinstance(header_id, str) and header_id and is_identity(header_id) else None
    return NamedEnrollmentCreated(
        id=to_name(own_id)
        if own_id
        else hashed_id(["edx", ENROLLED, f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", learner, course]),
        source=connection.name,
        time=time,
        data=NamedEnrollment(learner=learner, course=course, timezone=connection.timezone or "UTC"),
    )


def _unreadable(problem: str) -> Rejected:
    return Rejected("bad_payload", f"The entry's event_data is not what its type says. {problem}")
