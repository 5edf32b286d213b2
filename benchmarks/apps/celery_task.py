"""A task for each event, as Celery's guide has it: idempotent, acknowledged late, results ignored, JSON.

A connection to PostgreSQL is kept by each pool process. Many short tasks want a large prefetch multiplier (Celery's
guide, Optimizing: "64, or 128").
"""

import os
from typing import Any

import psycopg
from celery import Celery, signals

from benchmarks.apps.upserts import record_one

app = Celery("benchmark", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)

connections: list[psycopg.Connection] = []


@signals.worker_process_init.connect
def connect(**_: Any) -> None:
    """After the fork."""
    connections.append(psycopg.connect(os.environ["CONNINFO"], autocommit=True))


@app.task(name="record")
def record(event: dict[str, Any]) -> None:
    """Record one event."""
    record_one(connections[0], event)
