"""Housekeeping: apply parked events whose enrolment has come, remove dead consumers, trim the streams, balance them."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.services.redrive import sweep_parked
from worker.settings import Settings
from worker.stream import accounts, housekeeping
from worker.stream.connection import Redis
from worker.stream.keys import Keys
from worker.stream.strays import with_strays
from worker.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one run found to do."""

    parked_applied: int
    consumers_removed: int
    entries_trimmed: int
    entries_vanished: int


def maintain(settings: Settings, redis: Redis, engine: Engine, go_on: Callable[[], bool] = lambda: True) -> Maintained:
    """Do all of it, the sweep last and while `go_on` says so. Idempotent, and safe on several workers at once."""
    keys, _ = with_strays(redis, Keys(settings.stream_key, settings.stream_partitions))
    streams = keys.streams
    removed = housekeeping.remove_idle_consumers(redis, streams, settings.consumer_idle_seconds)
    trimmed = housekeeping.trim(redis, streams)
    vanished = accounts.balance(redis, streams)
    for stream, entries in vanished.items():
        log.warning("entries_vanished", stream=stream, entries=entries)
    swept = sweep_parked(engine, go_on)
    return Maintained(swept.applied + swept.repeated, len(removed), trimmed, sum(vanished.values()))
