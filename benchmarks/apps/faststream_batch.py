"""A batch subscriber of a stream with a consumer group, as FastStream's documentation has it.

Each process is a consumer with its own name; a batch is acknowledged when its handler returns, after the commit, and
left pending when it raises. The handler is a plain function, which FastStream runs in a thread.
"""

import os
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.redis import RedisBroker, StreamSub

from benchmarks.apps.batch import connect, record_events
from worker.settings import get_settings

broker = RedisBroker(os.environ["REDIS_URL"])
app = FastStream(broker)
engine = connect()

stream = StreamSub(
    "lesson-events",
    group="progress",
    consumer=f"worker-{os.getpid()}",
    batch=True,
    max_records=get_settings().batch_size,
)


@broker.subscriber(stream=stream, ack_policy=AckPolicy.NACK_ON_ERROR)
def record(events: list[Any]) -> None:
    """Record a batch."""
    record_events(engine, events)
