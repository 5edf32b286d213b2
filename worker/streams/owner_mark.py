"""The system that owns each stream, as a text in a key of its own."""

from typing import Any

from redis import OutOfMemoryError

from worker.streams.connection import Redis, answers
from worker.streams.keys import Keys


def owners(redis: Redis, keys: Keys) -> dict[str, str]:
    """Read each stream's owner; unclaimed streams are left out."""
    if not keys.streams:
        return {}
    texts: Any = redis.mget([keys.system(stream) for stream in keys.streams])
    found = zip(keys.streams, texts, strict=True)
    return {stream: text.decode(errors="replace") for stream, text in found if text is not None}


def claim(redis: Redis, keys: Keys, text: str) -> None:
    """Set the owner of every unclaimed stream. A full Redis refuses it, so it is left to the next claim."""
    pipeline = redis.pipeline(transaction=False)
    for stream in keys.streams:
        pipeline.set(keys.system(stream), text, nx=True)
    answers(pipeline, ignored=(OutOfMemoryError,))


def take_over(redis: Redis, keys: Keys, text: str) -> None:
    """Set the owner of every stream, claimed or not."""
    redis.mset({keys.system(stream): text for stream in keys.streams})
