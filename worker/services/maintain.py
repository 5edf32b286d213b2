"""Housekeeping: apply parked events whose enrolment has come, remove dead consumers, trim the streams."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.services.redrive import sweep_parked
from worker.services.system import check_system
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
    """Do all three, the sweep last and while `go_on` says so. Idempotent, and safe on several workers at once.

    Raises OtherSystemError, before anything is done.
    """
    keys = Keys(settings.stream_key, settings.stream_partitions)
    check_system(engine, redis, keys)
    removed = housekeeping.remove_idle_consumers(redis, keys.group, keys.streams, settings.consumer_idle_seconds)
    trimmed = housekeeping.trim(redis, keys.streams, settings.replay_window_seconds)
    with engine.begin() as connection:
        stream_position.delete_old(connection)
    swept = sweep_parked(engine, go_on)
    return Maintained(swept.applied + swept.repeated, len(removed), trimmed)
