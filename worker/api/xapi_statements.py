"""Read the statements of a request to `/xapi/statements`, which senders wrap differently, and answer with their ids."""

import re
from email.message import Message
from email.parser import BytesHeaderParser
from hashlib import sha256

from pydantic_core import to_json
from starlette.exceptions import HTTPException

from worker.adapters import xapi
from worker.adapters.translation import Translation
from worker.api.received_records import Received, Record, as_objects, read_json
from worker.contract.connection import Connection
from worker.contract.identity import identity

FORMAT = "xapi"

_NOT_STATEMENTS = "The body must be an xAPI statement, a JSON object, or a JSON list of them"


def read_statements(body: bytes, content_type: str) -> list[Record]:
    """Return the statements of a body. Raises HTTPException: 400 unless it holds JSON objects, 413 for too many."""
    return as_objects(xapi.split(read_json(_json_part(body, content_type), _NOT_STATEMENTS)), _NOT_STATEMENTS)


def read_one(body: bytes, content_type: str, statement_id: str | None) -> list[Record]:
    """Return the only statement of a body, with this id if it has none itself; otherwise like `read_statements`."""
    found = read_statements(body, content_type)
    if len(found) != 1:
        raise HTTPException(400, f"The body has {len(found)} statements. PUT takes one; POST takes a list.")
    return [{"id": statement_id, **found[0]}] if statement_id else found


def ids_of(received: Received, connection: Connection) -> list[str]:
    """Return each statement's id, in order."""
    pairs = zip(received.records, received.translations, strict=True)
    return [_id(statement, translation, connection.name) for statement, translation in pairs]


def _json_part(body: bytes, content_type: str) -> bytes:
    """Return the first part of a `multipart/mixed` body, which is the JSON (the others are attachments), or the body.

    Finds it by its boundaries alone: the attachments may be large and anything.
    """
    head = Message()
    head["Content-Type"] = content_type
    if head.get_content_maintype() != "multipart":
        return body
    line = b"--" + str(head.get_boundary("")).encode(errors="replace")
    first = re.search(rb"(?:\A|\n)%s[ \t]*\r?\n" % re.escape(line), body)
    if line == b"--" or first is None:
        raise HTTPException(400, "The multipart body has no part that begins with its boundary.")
    part = re.split(rb"\r?\n%s" % re.escape(line), body[first.end() :], maxsplit=1)[0]
    content = BytesHeaderParser().parsebytes(part).get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _id(statement: Record, translation: Translation, source: str) -> str:
    """Return a statement's id; for one that has none, the identity of what was made of it, the same if sent again."""
    given = statement.get("id")
    if isinstance(given, str) and given:
        return given
    for event in (*translation.events, translation.rejected):
        if event is not None:
            return event.event_id
    return identity(source, f"sha256:{sha256(to_json(statement)).hexdigest()}")
