"""Whose streams these are: a text beside each of them."""

from typing import Any

from redis import OutOfMemoryError

from worker.streams.connection import Redis, answers
from worker.streams.keys import Keys


def owners(redis: Redis, keys: Keys) -> dict[str, str]:
    """The text beside each stream; streams that are nobody's yet are left out."""
    if not keys.streams:
        return {}
    texts: Any = redis.mget([keys.system(stream) for stream in keys.streams])
    found = zip(keys.streams, texts, strict=True)
    return {stream: text.decode(errors="replace") for stream, text in found if text is not None}


def claim(redis: Redis, keys: Keys, text: str) -> None:
    """Write the text beside every stream that is nobody's. A full Redis refuses, and the next claim does it."""
    pipeline = redis.pipeline(transaction=False)
    for stream in keys.streams:
        pipeline.set(keys.system(stream), text, nx=True)
    answers(pipeline, ignored=(OutOfMemoryError,))


def take_over(redis: Redis, keys: Keys, text: str) -> None:
    """Write the text beside every stream, whoever's it was."""
    redis.mset({keys.system(stream): text for stream in keys.streams})
