"""Append events to the streams."""

from collections.abc import Iterable, Sequence
from typing import Any

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
