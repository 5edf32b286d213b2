"""What each consumer of a stream had committed when it last acknowledged there: PostgreSQL must know of it ever after.

It is written down by the script that acknowledges (`worker/streams/accounting.py`).
"""

from collections.abc import Iterable, Mapping, Sequence

from redis import OutOfMemoryError

from worker.contract.committed import Committed
from worker.streams.connection import Redis, answers
from worker.streams.keys import commits


def read(redis: Redis, streams: Sequence[str]) -> dict[tuple[str, str], Committed]:
    """What each consumer of each stream had committed when it last acknowledged, in one round trip."""
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
    """Forget what these consumers had committed of these streams, given as (stream, consumer)."""
    pipeline = redis.pipeline(transaction=False)
    for stream, consumer in forgotten:
        pipeline.hdel(commits(stream), consumer)
    answers(pipeline)


def begin(redis: Redis, consumer: str, committed: Mapping[str, Committed]) -> None:
    """Forget what was committed of these streams but for this consumer's. A full Redis keeps not even that."""
    pipeline = redis.pipeline(transaction=False)
    for stream, its in committed.items():
        pipeline.delete(commits(stream))
        pipeline.hset(commits(stream), consumer, str(its))
    answers(pipeline, ignored=(OutOfMemoryError,))
