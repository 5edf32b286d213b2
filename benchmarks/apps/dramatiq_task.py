"""A message for each event, as Dramatiq's guide has it; a connection to PostgreSQL for each thread."""

import os
import threading
from typing import Any

import dramatiq
import psycopg
from dramatiq.brokers.redis import RedisBroker

from benchmarks.apps.upserts import record_one

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))

local = threading.local()


@dramatiq.actor
def record(event: dict[str, Any]) -> None:
    """Record one event."""
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["CONNINFO"], autocommit=True)
    record_one(local.connection, event)
