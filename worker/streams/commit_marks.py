"""Commit marks: what each consumer of a stream had committed at its last acknowledgment. PostgreSQL must know it still.

The script that acknowledges writes them (`worker/streams/accounting.py`).
"""

from collections.abc import Iterable, Mapping, Sequence

from redis import OutOfMemoryError

from worker.contract.committed import Committed
from worker.streams.connection import Redis, answers
from worker.streams.keys import commits


def read(redis: Redis, streams: Sequence[str]) -> dict[tuple[str, str], Committed]:
    """Read the mark of each consumer of each stream, as (stream, consumer), in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for stream in streams:
        pipeline.hgetall(commits(stream))
    return {
        (stream, consumer.decode(errors="replace")): committed
        for stream, answer in zip(streams, answers(pipeline), strict=True)
        for consumer, text in (answer or {}).items()
        if (committed := Committed.parse(text.decode(errors="replace")))
    }


def forget(redis: Redis, forgotten: Iterable[tuple[str, str]]) -> None:
    """Delete these marks, given as (stream, consumer)."""
    pipeline = redis.pipeline(transaction=False)
    for stream, consumer in forgotten:
        pipeline.hdel(commits(stream), consumer)
    answers(pipeline)


def begin(redis: Redis, consumer: str, committed: Mapping[str, Committed]) -> None:
    """Delete the marks of these streams except this consumer's, which are set. A full Redis keeps not even those."""
    pipeline = redis.pipeline(transaction=False)
    for stream, its in committed.items():
        pipeline.delete(commits(stream))
        pipeline.hset(commits(stream), consumer, str(its))
    answers(pipeline, ignored=(OutOfMemoryError,))
