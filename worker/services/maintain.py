"""Housekeeping: apply parked events whose enrolment has come, remove dead consumers, trim the streams."""

from dataclasses import dataclass

from sqlalchemy import Engine

from worker.services.redrive import sweep_parked
from worker.settings import Settings
from worker.stream import housekeeping
from worker.stream.connection import Redis
from worker.stream.keys import Keys


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one run found to do."""

    parked_applied: int
    consumers_removed: int
    entries_trimmed: int


def maintain(settings: Settings, redis: Redis, engine: Engine) -> Maintained:
    """Do all three. Idempotent, and safe on several workers at once."""
    streams = Keys(settings.stream_key, settings.stream_partitions).streams
    swept = sweep_parked(engine)
    removed = housekeeping.remove_idle_consumers(redis, streams, settings.consumer_idle_seconds)
    return Maintained(swept.applied + swept.repeated, len(removed), housekeeping.trim(redis, streams))
