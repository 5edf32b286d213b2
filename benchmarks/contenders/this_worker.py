"""This worker with a beat, as `celery -A worker` starts them, default settings."""

import json
from collections.abc import Sequence

from benchmarks.contenders.contender import QueueContender, count
from benchmarks.place import Place, python
from worker.client import EventPublisher
from worker.contract.event import partition_key
from worker.streams import backlog
from worker.streams.keys import Keys

QUICK_START = ("--without-mingle", "--without-gossip")
"""Spares a Celery worker the second in which it asks its fellows for news."""


class ThisWorker(QueueContender):
    """So many pool processes; each event in its partition, or all on the plain stream."""

    def __init__(self, processes: int, *, partitioned: bool = True) -> None:
        super().__init__()
        self._processes_wanted = processes
        self._partitioned = partitioned
        self.key = f"worker_{processes}" if partitioned else f"worker_{processes}_one_stream"
        self.rate = 50_000 if partitioned and processes > 1 else 35_000
        where = "partitioned" if partitioned else "one stream"
        self.title = f"this worker, {where}, {count(processes, 'process', 'processes')}"

    def commands(self) -> Sequence[Sequence[str]]:
        """A worker and a beat."""
        celery = (python(), "-m", "celery", "-A", "worker")
        return [
            (*celery, "worker", "--concurrency", str(self._processes_wanted), *QUICK_START),
            (*celery, "beat"),
        ]

    def publish(self, place: Place, lines: Sequence[bytes]) -> None:
        """By this project's own client."""
        keys = [partition_key(json.loads(line)["data"]) if self._partitioned else None for line in lines]
        EventPublisher(settings=place.settings).publish_raw(zip(keys, lines, strict=True))

    def waiting(self, place: Place) -> int:
        """Of all streams."""
        keys = Keys(place.settings.stream_key, place.settings.stream_partitions)
        return sum(each.lag + each.pending for each in backlog.measure(place.redis, keys.group, keys.streams))
