"""Dramatiq on Redis, a message for each event."""

import json
from collections.abc import Sequence

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from benchmarks.contenders.contender import QueueContender
from benchmarks.place import Place, python

QUEUE = "default"


class DramatiqTask(QueueContender):
    """2 processes with 8 threads each, Dramatiq's default for a machine with 2 cores."""

    key = "dramatiq"
    title = "Dramatiq, a message per event, 2 processes"
    rate = 2_000

    def commands(self) -> Sequence[Sequence[str]]:
        """One worker."""
        return [(python(), "-m", "dramatiq", "benchmarks.apps.dramatiq_task", "--processes", "2")]

    def publish(self, place: Place, lines: Sequence[bytes]) -> None:
        """One message after the other; the event is the actor's only argument."""
        broker = RedisBroker(url=place.redis_url)
        for line in lines:
            broker.enqueue(
                Message(queue_name=QUEUE, actor_name="record", args=(json.loads(line),), kwargs={}, options={})
            )
        broker.close()

    def waiting(self, place: Place) -> int:
        """A message stays in this hash until it is acknowledged."""
        return int(place.redis.hlen(f"dramatiq:{QUEUE}.msgs"))
