"""A list of tasks at once, as the documentation of celery-batches has it, recorded by this worker's own statements.

The prefetch count must be above `flush_every`, so the multiplier is 0: no bound. Late acknowledgement, though 0.11
acknowledges batches that failed as well.
"""

import os
from collections.abc import Sequence
from typing import Any

from celery import Celery, signals
from celery_batches import Batches, SimpleRequest
from sqlalchemy import Engine

from benchmarks.apps.batch import connect, record_events

app = Celery("benchmark", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=0,
    broker_connection_retry_on_startup=True,
)

engines: list[Engine] = []


@signals.worker_process_init.connect
def after_fork(**_: Any) -> None:
    """Each pool process has its own connection."""
    engines.append(connect())


@app.task(name="record", base=Batches, flush_every=1_000, flush_interval=1)
def record(requests: Sequence[SimpleRequest]) -> None:
    """Record what has come together."""
    record_events(engines[0], [request.args[0] for request in requests])
