"""Housekeeping: notice lost commits, apply parked events whose enrolment came, remove dead consumers, trim."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Engine

from worker.services.commits import Commits
from worker.services.reconcile import reconcile
from worker.services.redrive import sweep_parked
from worker.services.system import claim_streams
from worker.settings import Settings
from worker.storage import stream_position
from worker.stream import housekeeping
from worker.stream.connection import Redis
from worker.stream.keys import Keys


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one run found to do."""

    parked_applied: int
    consumers_removed: int
    entries_trimmed: int


def maintain(settings: Settings, redis: Redis, engine: Engine, go_on: Callable[[], bool] = lambda: True) -> Maintained:
    """Do all of it, the sweep last and while `go_on` says so. Idempotent, and safe on several workers at once.

    First it looks whether PostgreSQL has lost commits: consumers that have nothing to record would not notice. Raises
    OtherSystemError, and CommitsLostError while another applies them again, before anything is done.
    """
    keys, name = Keys(settings.stream_key, settings.stream_partitions), f"maintain-{uuid4().hex[:8]}"
    ends_at = time.monotonic() + settings.slice_seconds
    with engine.connect() as connection:
        claim_streams(connection, redis, keys, name)
    if not reconcile(
        engine, redis, keys, Commits(name), settings.batch_size, lambda: go_on() and time.monotonic() < ends_at
    ):
        return Maintained(0, 0, 0)
    removed = housekeeping.remove_idle_consumers(redis, keys.group, keys.streams, settings.consumer_idle_seconds)
    trimmed = housekeeping.trim(redis, keys.streams, settings.replay_window_seconds)
    with engine.begin() as connection:
        stream_position.delete_old(connection)
    swept = sweep_parked(engine, go_on)
    return Maintained(swept.applied + swept.repeated, len(removed), trimmed)
