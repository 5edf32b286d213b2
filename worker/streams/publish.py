"""Append events to the streams."""

from collections.abc import Callable, Iterable
from typing import Any

from redis import ResponseError

from worker.contract.entry import FIELD, Entry
from worker.streams.connection import Redis, is_wrong_type

InsteadOf = Callable[[str], str]
"""Returns the stream to use instead of one whose key has the wrong type."""


def append(redis: Redis, stream: str, body: bytes, instead_of: InsteadOf | None = None) -> str:
    """Append one event and return its entry id. After an error Redis may or may not have it.

    Appending it again is safe: an event counts once by its identity.
    """
    try:
        entry_id: Any = redis.xadd(stream, {FIELD: body})
    except ResponseError as error:
        if instead_of is None or not is_wrong_type(error):
            raise
        entry_id = redis.xadd(instead_of(stream), {FIELD: body})
    return str(entry_id, "ascii")


def append_many(redis: Redis, events: Iterable[tuple[str, bytes]], instead_of: InsteadOf | None = None) -> int:
    """Append (stream, body) pairs in one round trip, two if a stream has the wrong type; return their number.

    Raises the first error of Redis; some events may be appended.
    """
    events = list(events)
    pipeline = redis.pipeline(transaction=False)
    for stream, body in events:
        pipeline.xadd(stream, {FIELD: body})
    refused = []
    for event, answer in zip(events, pipeline.execute(raise_on_error=False), strict=True):
        if instead_of is not None and is_wrong_type(answer):
            refused.append((instead_of(event[0]), event[1]))
        elif isinstance(answer, Exception):
            raise answer
    if refused:
        append_many(redis, refused)
    return len(events)


def append_again(redis: Redis, entries: Iterable[Entry]) -> None:
    """Append the entries again, with all their fields, in one round trip."""
    pipeline: Any = redis.pipeline(transaction=False)
    for entry in entries:
        event = () if entry.body is None else (FIELD, entry.body)
        pipeline.execute_command("XADD", entry.stream, "*", *event, *entry.fields)
    pipeline.execute()
