"""Append events to the streams."""

from collections.abc import Iterable, Sequence
from typing import Any

from worker.domain.entry import Entry
from worker.stream.connection import Redis
from worker.stream.keys import FIELD


def append(redis: Redis, stream: str, body: bytes) -> str:
    """Append one event and return its entry id. When this returns, Redis has it; when it raises, it may have it.

    Appending again after an error is safe: an event counts once by its identity.
    """
    entry_id: Any = redis.xadd(stream, {FIELD: body})
    return str(entry_id, "ascii")


def append_many(redis: Redis, events: Iterable[tuple[str, bytes]]) -> int:
    """Append (stream, body) pairs in one round trip and return how many. Raises the first error Redis answered."""
    pipeline = redis.pipeline(transaction=False)
    for stream, body in events:
        pipeline.xadd(stream, {FIELD: body})
    answers: Sequence[object] = pipeline.execute()
    return len(answers)


def append_again(redis: Redis, entries: Iterable[Entry]) -> None:
    """Append the entries once more, each with all its fields, in one round trip."""
    pipeline: Any = redis.pipeline(transaction=False)
    for entry in entries:
        event = () if entry.body is None else (FIELD, entry.body)
        pipeline.execute_command("XADD", entry.stream, "*", *event, *entry.fields)
    pipeline.execute()
