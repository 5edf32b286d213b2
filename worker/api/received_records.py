"""Take the records of one request: translate them, check that they may be sent, and append what they mean."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from fastapi import Request
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from worker.adapters.formats import FORMATS
from worker.adapters.translation import Translation, translate
from worker.api.authorization import forbidden_events
from worker.api.credentials import read_credentials
from worker.api.dependencies import Caller
from worker.api.tokens import Token
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent
from worker.contract.parse import BYTE_ORDER_MARK
from worker.logs import get_logger
from worker.progress.submit import LARGE_BYTES

log = get_logger(__name__)

MAX_RECORDS = 25_000
"""More would be less than a kilobyte each in the largest body, which no real record is."""

Record = dict[str, Any]
_Answer = TypeVar("_Answer")

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape; one that is half of a surrogate pair is the group."""


@dataclass(slots=True)
class Received:
    """The records of one request, translated."""

    records: Sequence[Record]
    translations: list[Translation] = field(default_factory=list)
    """Of each record, in order."""
    events: list[NamedEvent] = field(default_factory=list)
    messages: list[tuple[int | None, bytes]] = field(default_factory=list)
    """What to publish: the events, and the rejected records."""
    ignored: Counter[str] = field(default_factory=Counter)
    """The number of ignored records by reason."""
    rejected: Counter[str] = field(default_factory=Counter)
    """The number of rejected records by reason."""

    def add(self, translation: Translation) -> None:
        """Add what became of the next record."""
        self.translations.append(translation)
        self.events += translation.events
        self.messages += translation.messages
        if translation.ignored is not None:
            self.ignored[translation.ignored] += 1
        if translation.rejected is not None:
            self.rejected[translation.rejected.data.reason] += 1


async def take(
    request: Request,
    caller: Caller,
    format_name: str,
    read: Callable[[bytes, str], Sequence[Record]],
    answer: Callable[[Received, Connection], _Answer],
) -> _Answer:
    """Publish what the records of the request mean, and return the answer made of them.

    `read` returns the records of a body and its Content-Type, and raises HTTPException; both functions may run in a
    thread. Raises HTTPException 403 if a record may not be sent; then none was taken.
    """
    body, content_type = await request.body(), request.headers.get("content-type", "")
    authorization = request.headers.get("authorization", "")
    connection = connection_of(caller.token, authorization, caller.connections, format_name)
    arrived = await run_in_threadpool(caller.publisher.clock)

    def translated() -> tuple[Received, _Answer]:
        received = _translate(read(body, content_type), format_name, connection, arrived)
        return received, answer(received, connection)

    done, answered = await caller.service.aside(translated) if len(body) > LARGE_BYTES else translated()
    denials = await forbidden_events(caller.service, caller.token, done.events)
    if denial := next(filter(None, denials), None):
        number = sum(each is not None for each in denials)
        raise HTTPException(403, f"{number} of {len(done.records)} records: {denial}. None of them was taken.")
    await run_in_threadpool(caller.publisher.publish_raw, done.messages)
    log.info(
        "records_received",
        format=format_name,
        connection=connection.name,
        records=len(done.records),
        events=len(done.events),
        ignored=dict(done.ignored),
        rejected=dict(done.rejected),
    )
    return answered


def as_objects(records: Iterable[object], expected: str) -> list[Record]:
    """Return the records. Raises HTTPException: 400 for one that is no object, 413 for too many."""
    found: list[Record] = []
    for each in records:
        if not isinstance(each, dict):
            raise HTTPException(400, f"{expected}: it has other values.")
        found.append(each)
    return within_limit(found)


def within_limit(records: list[Any]) -> list[Any]:
    """Return the records. Raises HTTPException, 413, for too many."""
    if len(records) > MAX_RECORDS:
        raise HTTPException(413, f"{len(records)} records; at most {MAX_RECORDS} are accepted.")
    return records


def read_json(body: bytes, expected: str) -> object:
    """Return the JSON. Unpaired surrogates and bytes that are not UTF-8 become U+FFFD. Raises HTTPException 400."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return from_json(body)
    except ValueError:
        whole = _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)
        mended = whole.decode(errors="replace")
    try:
        return from_json(mended)
    except ValueError as error:
        raise HTTPException(400, f"{expected}: {error}.") from None


def _translate(records: Sequence[Record], format_name: str, connection: Connection, arrived: datetime) -> Received:
    received = Received(records)
    how = FORMATS[format_name].translate
    for record in records:
        received.add(translate(record, format_name, how, connection, arrived))
    return received


def connection_of(token: Token, authorization: str, known: Mapping[str, Connection], format_name: str) -> Connection:
    """Return the connection that the records come from.

    It is the token's; else the user name of Basic, if it is a connection in the file; else the only connection in the
    file with this format; else the format's name.
    """
    credentials = read_credentials(authorization)
    user = credentials.user if credentials and credentials.user in known else None
    of_format = [each.name for each in known.values() if each.format == format_name]
    name = token.connection or user or (of_format[0] if len(of_format) == 1 else format_name)
    return known.get(name) or Connection(name=name)
