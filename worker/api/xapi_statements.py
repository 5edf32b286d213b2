"""Read and translate the statements of a request to `/xapi/statements`. Senders differ in how they wrap them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from hashlib import sha256
from typing import Any

from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException

from worker.adapters import xapi
from worker.adapters.translation import Translation, translate
from worker.contract.connection import Connection
from worker.contract.identity import identity
from worker.contract.named_event import NamedEvent
from worker.contract.parse import BYTE_ORDER_MARK

FORMAT = "xapi"
MAX_STATEMENTS = 25_000
"""More would be less than a kilobyte each in the largest body, which no real statement is."""

JsonStatement = dict[str, Any]

_NOT_STATEMENTS = "The body must be an xAPI statement, a JSON object, or a JSON list of them"
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape; one that is half of a surrogate pair is the group."""


@dataclass(slots=True)
class Statements:
    """The statements of one request, translated."""

    ids: list[str] = field(default_factory=list)
    """Each statement's id, in order."""
    events: list[NamedEvent] = field(default_factory=list)
    messages: list[tuple[int | None, bytes]] = field(default_factory=list)
    """What to publish: the events, and the rejected statements."""
    ignored: Counter[str] = field(default_factory=Counter)
    """The number of ignored statements by reason."""
    rejected: Counter[str] = field(default_factory=Counter)
    """The number of rejected statements by reason."""

    def add(self, statement: JsonStatement, translation: Translation, source: str) -> None:
        """Add a statement and what became of it."""
        self.ids.append(_id(statement, translation, source))
        self.events += translation.events
        self.messages += translation.messages
        if translation.ignored is not None:
            self.ignored[translation.ignored] += 1
        if translation.rejected is not None:
            self.rejected[translation.rejected.data.reason] += 1


def translate_statements(statements: Sequence[JsonStatement], connection: Connection, arrived: datetime) -> Statements:
    """Translate statements that arrived at this time."""
    done = Statements()
    for statement in statements:
        translation = translate(statement, FORMAT, xapi.translate, connection, arrived)
        done.add(statement, translation, connection.name)
    return done


def read_statements(body: bytes, content_type: str) -> list[JsonStatement]:
    """Return the statements of a body. Raises HTTPException: 400 unless it holds JSON objects, 413 for too many."""
    found: list[JsonStatement] = []
    for each in xapi.split(_read_json(_json_part(body, content_type))):
        if not isinstance(each, dict):
            raise HTTPException(400, f"{_NOT_STATEMENTS}: it has other values.")
        found.append(each)
    if len(found) > MAX_STATEMENTS:
        raise HTTPException(413, f"{len(found)} statements; at most {MAX_STATEMENTS} are accepted.")
    return found


def read_one(body: bytes, content_type: str, statement_id: str | None) -> list[JsonStatement]:
    """Return the only statement of a body, with this id if it has none itself; otherwise like `read_statements`."""
    found = read_statements(body, content_type)
    if len(found) != 1:
        raise HTTPException(400, f"The body has {len(found)} statements. PUT takes one; POST takes a list.")
    return [{"id": statement_id, **found[0]}] if statement_id else found


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


def _read_json(body: bytes) -> object:
    """Return the JSON. Accepts unpaired surrogates and bytes that are not UTF-8, and replaces them by U+FFFD."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return from_json(body)
    except ValueError:
        whole = _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)
        mended = whole.decode(errors="replace")
    try:
        return from_json(mended)
    except ValueError as error:
        raise HTTPException(400, f"{_NOT_STATEMENTS}: {error}.") from None


def _id(statement: JsonStatement, translation: Translation, source: str) -> str:
    """Return a statement's id; for one that has none, the identity of what was made of it, the same if sent again."""
    given = statement.get("id")
    if isinstance(given, str) and given:
        return given
    for event in (*translation.events, translation.rejected):
        if event is not None:
            return event.event_id
    return identity(source, f"sha256:{sha256(to_json(statement)).hexdigest()}")
