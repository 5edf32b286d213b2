"""Dead letters as JSON lines: exported, corrected by a person, and read again. No I/O.

A line names its dead letter and has the entry's content as `event` where that is a JSON object, otherwise as `body`
(text) or `body_base64` (bytes that are not UTF-8), and `fields` where the entry has others. Only `event` is not kept to
the byte: its line breaks become spaces.
"""

from base64 import b64encode
from typing import Annotated, Any

import msgspec
from msgspec import Meta, MsgspecError, Raw, Struct
from pydantic_core import to_json

from worker.contract.id_ranges import MAX_ID
from worker.progress.stored_dead_letters import StoredDeadLetter


class _Field(Struct):
    name: str | None = None
    name_base64: bytes | None = None
    value: str | None = None
    value_base64: bytes | None = None


class _Line(Struct):
    dead_letter_id: Annotated[int, Meta(ge=1, le=MAX_ID)]
    stream: str
    entry_id: str
    event: Raw = Raw()
    body: str | None = None
    body_base64: bytes | None = None
    fields: list[_Field] = []


class _Rejected(Struct):
    format: str
    record: Raw


class _RejectedRecord(Struct):
    source: str
    data: _Rejected


class CorrectedDeadLetter(Struct, frozen=True):
    """A dead letter's id, stream and entry id, and the content that it is to have."""

    id: int
    stream: str
    entry_id: str
    body: bytes | None
    fields: tuple[bytes, ...]


def to_line(dead_letter: StoredDeadLetter) -> bytes:
    """Return the dead letter as a line, with its line break."""
    entry = dead_letter.entry
    members: dict[str, Any] = {
        "dead_letter_id": dead_letter.id,
        "reason": dead_letter.reason,
        "detail": dead_letter.detail,
        "stream": entry.stream,
        "entry_id": entry.id,
        "user_course_id": dead_letter.user_course_id,
        "created_at": dead_letter.created_at,
    }
    if entry.fields:
        members["fields"] = [as_text("name", name) | as_text("value", value) for name, value in entry.other_fields]
    if entry.body is None or not _is_object(entry.body):
        return to_json(members | as_text("body", entry.body)) + b"\n"
    event = _in_one_line(entry.body)
    return to_json(members)[:-1] + b',"event":' + event + b"}\n"


def to_record(dead_letter: StoredDeadLetter) -> tuple[str, str, bytes]:
    """Return connection, format and, as a line of JSON, the record of a dead letter of the reason `not_translated`."""
    found = msgspec.json.decode(dead_letter.entry.body or b"", type=_RejectedRecord)
    return found.source, found.data.format, _in_one_line(bytes(found.data.record)) + b"\n"


def from_line(line: bytes) -> CorrectedDeadLetter:
    """Return what a line says; `event` goes before `body`. Raises ValueError with the reason."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except (MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    event = bytes(found.event)
    body = _as_bytes(found.body, found.body_base64) if event in {b"", b"null"} else event
    fields = [
        content or b""
        for field in found.fields
        for content in (_as_bytes(field.name, field.name_base64), _as_bytes(field.value, field.value_base64))
    ]
    return CorrectedDeadLetter(found.dead_letter_id, found.stream, found.entry_id, body, tuple(fields))


def as_text(name: str, content: bytes | None) -> dict[str, str | None]:
    """Return the bytes as a member of this name if they are UTF-8, otherwise as base64 in `<name>_base64`."""
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(content).decode()}


def _in_one_line(json: bytes) -> bytes:
    return json.replace(b"\n", b" ").replace(b"\r", b" ")  # in JSON they are only between its parts


def _as_bytes(text: str | None, encoded: bytes | None) -> bytes | None:
    return encoded if text is None else text.encode()


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (MsgspecError, RecursionError):
        return False
