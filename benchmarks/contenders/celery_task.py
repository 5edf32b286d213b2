"""Celery, a task for each event: what most teams would write."""

import json
from collections.abc import Sequence

from celery import Celery

from benchmarks.contenders.contender import QueueContender
from benchmarks.contenders.this_worker import QUICK_START
from benchmarks.place import Place, python

QUEUE = "celery"
UNACKNOWLEDGED = "unacked"
"""The hash in which Celery's Redis transport keeps messages that a worker has and has not acknowledged."""


class CeleryTask(QueueContender):
    """Prefork pool of 2."""

    key = "celery"
    title = "Celery, a task per event, 2 processes"
    rate = 900
    module = "benchmarks.apps.celery_task"
    task = "record"
    environment: str | None = None

    def commands(self) -> Sequence[Sequence[str]]:
        """One worker."""
        celery = (python(self.environment), "-m", "celery", "-A", self.module)
        return [(*celery, "worker", "--concurrency", "2", *QUICK_START)]

    def publish(self, place: Place, lines: Sequence[bytes]) -> None:
        """On one connection; the event is the task's only argument."""
        app = Celery("publisher", broker=place.redis_url)
        with app.producer_or_acquire() as producer:
            for line in lines:
                app.send_task(self.task, (json.loads(line),), producer=producer, ignore_result=True)
        app.close()

    def waiting(self, place: Place) -> int:
        """In the queue and with the worker."""
        pipeline = place.redis.pipeline(transaction=True)
        pipeline.llen(QUEUE)
        pipeline.hlen(UNACKNOWLEDGED)
        return sum(pipeline.execute())
