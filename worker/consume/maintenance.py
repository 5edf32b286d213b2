"""Housekeeping: lost commits, vanished entries, dead consumers, trimming, parked events, expired records.

A step that a server refuses does not prevent the next one.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from redis import ResponseError

from worker.database.engine import Engine
from worker.database.failures import may_be_caused_by_one
from worker.errors import first_line
from worker.failover.lost_commits import reconcile
from worker.failover.ownership import claim_streams
from worker.logs import get_logger
from worker.progress import stream_positions
from worker.progress.commits import Commits
from worker.progress.expired_records import delete_old_records
from worker.progress.outcome import Outcome
from worker.progress.redrive import sweep_parked
from worker.settings import Settings
from worker.streams import accounting, commit_marks, consumers, trim
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays
from worker.streams.totals import add_totals

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one run did."""

    parked_applied: int
    consumers_removed: int
    entries_trimmed: int
    entries_vanished: int
    records_expired: int


def maintain(settings: Settings, redis: Redis, engine: Engine, go_on: Callable[[], bool] = lambda: True) -> Maintained:
    """Run every step, those that may take long while `go_on` agrees. Idempotent; safe on several workers at once.

    Checks for lost commits first, because idle consumers would not notice them. Raises before any other step:
    OtherSystemError, and CommitsLostError while another consumer replays them.
    """
    keys, _ = with_strays(redis, Keys.of(settings))
    name = f"maintain-{uuid4().hex[:8]}"
    ends_at = time.monotonic() + settings.slice_seconds
    with engine.connect() as connection:
        claim_streams(connection, redis, keys, name)
    if not reconcile(
        engine, redis, keys, Commits(name), settings.batch_size, lambda: go_on() and time.monotonic() < ends_at
    ):
        return Maintained(0, 0, 0, 0, 0)
    removed, trimmed, vanished, swept, expired = set[str](), 0, dict[str, int](), Outcome(), 0
    with _log_refusals():
        removed = consumers.remove_idle_consumers(redis, keys.group, keys.streams, settings.consumer_idle_seconds)
    with _log_refusals():
        trimmed = trim.trim(redis, keys.streams, settings.replay_window_seconds)
    with _log_refusals():
        vanished = accounting.balance(redis, keys.group, keys.streams)
    for stream, entries in vanished.items():
        log.warning("entries_vanished", stream=stream, entries=entries)
    with _log_refusals(), engine.begin() as connection:
        commit_marks.forget(redis, stream_positions.delete_old(connection))
    with _log_refusals():
        swept = sweep_parked(engine, go_on)
        add_totals(redis, keys, swept.totals)
    with _log_refusals():
        expired = delete_old_records(engine, settings.not_translated_days, go_on)
    applied = swept.applied + swept.repeated + swept.superseded
    return Maintained(applied, len(removed), trimmed, sum(vanished.values()), expired)


@contextmanager
def _log_refusals() -> Iterator[None]:
    """Log what a server refuses, so that the next step runs. Errors of a server that is away are raised."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ResponseError) and not may_be_caused_by_one(error):
            raise
        log.warning("maintenance_postponed", detail=first_line(error))
