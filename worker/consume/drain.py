"""Drain the streams for a while: lease partitions, read, share with whoever is idle, wait while a server is away.

Leases and marks only spread the work. Whatever this loop does, an entry is acknowledged after its transaction committed
and never before (`worker/consume/consumer.py`).
"""

import random
import time
from typing import Protocol

from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from worker.consume.consumer import Consumer, ReadingStopped
from worker.database.failures import Failure, classify
from worker.errors import ProgressError, first_line
from worker.logs import get_logger
from worker.streams import read
from worker.streams import trim as housekeeping
from worker.streams.connection import is_wrong_type

log = get_logger(__name__)

LEASE_CHECK_SECONDS = 1.0
"""How often a busy consumer looks for streams that became free."""
TRIM_SECONDS = 1.0
"""How often it trims what it reads, so that a backlog gives its memory back while it is drained."""
QUIET_SECONDS = 2.0
"""Without an entry this long, one of several consumers is enough."""
READ_ON_SECONDS = 0.5
"""How long it reads batch after batch under a backlog before it sees to leases and trimming again."""
STOP_CHECK_SECONDS = 0.1
"""How soon a consumer that waits for a server notices that it must stop."""


class Host(Protocol):
    """The process that a drain runs in."""

    def wake_up(self) -> None:
        """Ask for another drain somewhere; a failure to ask is harmless."""

    def is_stopping(self) -> bool:
        """Reading must stop at once."""

    def beat(self) -> None:
        """The drain is alive."""


class Drain:
    """One run of at most `seconds` over a consumer."""

    def __init__(self, consumer: Consumer, host: Host, seconds: float) -> None:
        self._consumer = consumer
        self._host = host
        self._ends_at = time.monotonic() + seconds
        self._lease_check_at = 0.0
        self._trim_at = 0.0
        self._failures = 0
        self._stalled: list[str] = []
        self._busy_at = time.monotonic()
        self._read_on_until = 0.0
        consumer.pulse = self._pulse

    def run(self) -> None:
        """Drain until the time is over, the host stops, or every stream is being read by others.

        Rings before it lets go of its partitions, so that they are not left alone. Servers that are away raise nothing:
        the drain waits for them.
        """
        leases = self._consumer.leases
        ring = False
        try:
            going_on = True
            while going_on and not self._is_over():
                self._host.beat()
                going_on = self._step()
            ring = self._consumer.interrupted or (bool(leases.held) and not self._is_superfluous())
        finally:
            if ring:
                self._host.wake_up()
            self._let_go()
            if self._consumer.interrupted:
                self._give_back()

    def _pulse(self) -> bool:
        self._host.beat()
        self._consumer.leases.renew()
        return not self._host.is_stopping()

    def _is_over(self) -> bool:
        return self._host.is_stopping() or time.monotonic() >= self._ends_at

    def _is_superfluous(self) -> bool:
        """Nothing came for a while, and another holds the first stream: one consumer waits, not several."""
        quiet = time.monotonic() - self._busy_at >= QUIET_SECONDS
        return quiet and self._consumer.keys.streams[0] not in self._consumer.leases.held

    def _step(self) -> bool:
        """One round of reading; False when there is nothing for this drain to read."""
        consumer = self._consumer
        try:
            if consumer.interrupted:
                consumer.recover()
            consumer.interrupted = True
            going_on = self._read()
            consumer.interrupted = False
        except ReadingStopped:
            return False
        except Exception as error:  # noqa: BLE001 - also a defect of ours must not end the chain of drains
            self._back_off(error)
            return True
        self._failures = 0
        if consumer.refused:
            self._wait(consumer.settings.backoff_seconds)
        return going_on

    def _read(self) -> bool:
        consumer, leases = self._consumer, self._consumer.leases
        leases.renew()
        if time.monotonic() >= self._lease_check_at:
            self._lease_free()
        others = set(self._stalled) & set(consumer.keys.streams) - set(leases.held)
        streams = leases.held + tuple(stream for stream in self._stalled if stream in others)
        if not streams:
            leases.want()
            return False
        if self._is_superfluous():
            return False
        consumer.reclaim(streams)
        consumer.retry()
        self._read_on_until = time.monotonic() + READ_ON_SECONDS
        count = consumer.read(streams, None, self._read_on)
        if count == 0:
            consumer.has_rung = False
            self._lease_free()
            if not leases.complete:
                leases.want()
            count = consumer.read(streams, consumer.held_back.block_seconds(), self._read_on)
        if count:
            self._busy_at = time.monotonic()
        if consumer.behind and leases.answer_want(consumer.busy):
            self._host.wake_up()
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_SECONDS
            housekeeping.trim(consumer.redis, streams, consumer.settings.replay_window_seconds)
        return True

    def _read_on(self) -> bool:
        """Under a backlog: ring for whoever is idle, once a backlog, and stop as soon as another wants a share."""
        consumer = self._consumer
        if not consumer.has_rung:
            consumer.has_rung = True
            self._host.wake_up()
        return time.monotonic() < self._read_on_until and not consumer.leases.is_wanted(consumer.busy)

    def _lease_free(self) -> None:
        self._consumer.check_system()
        leases = self._consumer.leases
        self._consumer.find_strays()
        leases.acquire_free()
        self._lease_check_at = time.monotonic() + LEASE_CHECK_SECONDS
        if not leases.complete:
            self._stalled += [stream for stream in self._consumer.stalled_streams() if stream not in self._stalled]

    def _back_off(self, error: Exception) -> None:
        """Say what is wrong, let others have the partitions, and wait: longer each time, with jitter."""
        consumer = self._consumer
        traceback = None if isinstance(error, SQLAlchemyError | RedisError | ProgressError) else error
        log.error(_name(error), consumer=consumer.name, detail=first_line(error), exc_info=traceback)
        wait = random.uniform(0.5, 1) * min(consumer.settings.backoff_seconds, 0.1 * 2**self._failures)  # noqa: S311 - jitter
        self._failures = min(self._failures + 1, 10)
        self._let_go()
        self._wait(wait)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._is_over():
            self._host.beat()
            time.sleep(STOP_CHECK_SECONDS)

    def _give_back(self) -> None:
        try:
            self._consumer.give_back()
        except RedisError:
            return  # it is taken over after a while all the same

    def _let_go(self) -> None:
        self._lease_check_at = 0.0
        try:
            self._consumer.held_back.give_back()
            self._consumer.leases.release()
        except RedisError:
            log.warning("leases_left_to_expire", consumer=self._consumer.name)


def _name(error: Exception) -> str:
    if read.is_missing_group(error):
        return "group_missing"
    if is_wrong_type(error):
        return "wrong_key_type"  # which one, the look for streams tells
    if isinstance(error, ProgressError) or classify(error) is Failure.SCHEMA:
        return "reading_stopped"  # until a person acts
    return "server_away" if isinstance(error, SQLAlchemyError | RedisError) else "reading_failed"
