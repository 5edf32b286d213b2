"""Drain the streams for a while: lease partitions, read, share with idle consumers, wait while a server is away.

Leases and marks only spread the work. Whatever this loop does, an entry is acknowledged after its transaction committed
and never before (`worker/consume/consumer.py`).
"""

import random
import time
from typing import Protocol

from redis import RedisError

from worker.consume.consumer import Consumer, ReadingStopped, ReadResult
from worker.consume.recovery import Recovery
from worker.consume.server_errors import describe, is_known, needs_an_operator
from worker.database.failures import replace_sessions
from worker.errors import ProgressError
from worker.logs import get_logger
from worker.settings import Settings
from worker.streams import read, trim
from worker.streams.connection import is_wrong_type

log = get_logger(__name__)

LEASE_CHECK_SECONDS = 1.0
"""How often a busy consumer looks for streams that became free."""
TRIM_SECONDS = 1.0
"""How often it trims what it reads, so that draining a backlog frees its memory."""
QUIET_SECONDS = 2.0
"""After this long without an entry, one of several consumers is enough."""
READ_ON_SECONDS = 0.5
"""How long it reads batch after batch under a backlog before it looks after leases and trimming again."""
STOP_CHECK_SECONDS = 0.1
"""How soon a consumer that waits for a server notices that it must stop."""


class Host(Protocol):
    """The process that a drain runs in."""

    def wake_up(self) -> None:
        """Request another drain somewhere; a request that gets lost is harmless."""

    def is_stopping(self) -> bool:
        """Return whether reading must stop at once."""

    def beat(self) -> None:
        """Report that the drain is alive."""


class Drain:
    """One run of at most `seconds` with a consumer; `recovery` keeps its memory from run to run."""

    def __init__(self, consumer: Consumer, host: Host, seconds: float, recovery: Recovery | None = None) -> None:
        self._consumer = consumer
        self._recovery = recovery or Recovery(consumer)
        self._host = host
        self._ends_at = time.monotonic() + seconds
        self._lease_check_at = 0.0
        self._trim_at = 0.0
        self._failures = 0
        self._stalled: list[str] = []
        self._busy_at = time.monotonic()
        self._read_on_until = 0.0

    def run(self) -> None:
        """Drain until the time is over, the host stops, or every stream is read by others.

        Requests another drain before it releases its partitions, so that they are not left alone. A server that is away
        raises nothing: the drain waits for it.
        """
        leases = self._consumer.leases
        is_unfinished = False
        try:
            going_on = True
            while going_on and not self._is_over():
                self._host.beat()
                going_on = self._step()
            is_unfinished = self._recovery.is_needed or (bool(leases.held) and not self._is_superfluous())
        finally:
            if is_unfinished:
                self._host.wake_up()
            self._release()
            if self._recovery.is_needed:
                self._give_back()

    def _step(self) -> bool:
        """Run one round of reading; return False when there is nothing for this drain to read."""
        try:
            with self._recovery.before_reading(self._keep_alive):
                result = self._read()
        except ReadingStopped:
            return False
        except Exception as error:  # noqa: BLE001 - even a bug of ours must not end the chain of drains
            self._back_off(error)
            return True
        self._failures = 0
        if result is None:
            return False
        if result.is_refused:
            self._wait(self._consumer.settings.backoff_seconds)
        return True

    def _read(self) -> ReadResult | None:
        """Read and record once; None when there is nothing for this drain to read."""
        consumer, leases = self._consumer, self._consumer.leases
        leases.renew()
        if time.monotonic() >= self._lease_check_at:
            self._lease_free()
        others = set(self._stalled) & set(consumer.keys.streams) - set(leases.held)
        streams = leases.held + tuple(stream for stream in self._stalled if stream in others)
        if not streams:
            leases.want()
            return None
        if self._is_superfluous():
            return None
        self._recovery.reclaim(streams, self._keep_alive)
        consumer.retry(self._keep_alive)
        self._read_on_until = time.monotonic() + READ_ON_SECONDS
        result = consumer.read(streams, None, self._wants_more, self._keep_alive)
        if not result.count:
            self._lease_free()
            if not leases.complete:
                leases.want()
            result = consumer.read(streams, consumer.held_back.block_seconds(), self._wants_more, self._keep_alive)
        if result.count:
            self._busy_at = time.monotonic()
        if result.is_behind and leases.answer_want(result.busy):
            self._host.wake_up()
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_SECONDS
            trim.trim(consumer.redis, streams, consumer.settings.replay_window_seconds)
        return result

    def _keep_alive(self) -> bool:
        self._host.beat()
        self._consumer.leases.renew()
        return not self._host.is_stopping()

    def _wants_more(self, busy: frozenset[str], is_new: bool, /) -> bool:
        """Wake up an idle process, once a backlog; read on for a while, unless another consumer wants a share."""
        if is_new:
            self._host.wake_up()
        return time.monotonic() < self._read_on_until and not self._consumer.leases.is_wanted(busy)

    def _is_over(self) -> bool:
        return self._host.is_stopping() or time.monotonic() >= self._ends_at

    def _is_superfluous(self) -> bool:
        """Nothing came for a while, and another consumer holds the first stream: one of them is enough to wait."""
        quiet = time.monotonic() - self._busy_at >= QUIET_SECONDS
        return quiet and self._consumer.keys.streams[0] not in self._consumer.leases.held

    def _lease_free(self) -> None:
        consumer, leases = self._consumer, self._consumer.leases
        consumer.check_system()
        consumer.find_strays()
        leases.acquire_free()
        self._lease_check_at = time.monotonic() + LEASE_CHECK_SECONDS
        if not leases.complete:
            self._stalled += [stream for stream in consumer.stalled_streams() if stream not in self._stalled]

    def _back_off(self, error: Exception) -> None:
        """Log the error, let others have the partitions, and wait: longer each time, with jitter."""
        consumer = self._consumer
        detail, traceback = describe(error, consumer.settings), None if is_known(error) else error
        log.error(_name(error, consumer.settings), consumer=consumer.name, detail=detail, exc_info=traceback)
        wait = random.uniform(0.5, 1) * min(consumer.settings.backoff_seconds, 0.1 * 2**self._failures)  # noqa: S311 - jitter
        self._failures = min(self._failures + 1, 10)
        if isinstance(error, ProgressError):
            replace_sessions(consumer.engine)
        self._release()
        self._wait(wait)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._is_over():
            self._host.beat()
            time.sleep(STOP_CHECK_SECONDS)

    def _give_back(self) -> None:
        try:
            self._recovery.give_back()
        except RedisError:
            return  # it is reclaimed after a while anyway

    def _release(self) -> None:
        self._lease_check_at = 0.0
        try:
            self._consumer.held_back.give_back()
            self._consumer.leases.release()
        except RedisError:
            log.warning("leases_left_to_expire", consumer=self._consumer.name)


def _name(error: Exception, settings: Settings) -> str:
    if read.is_missing_group(error):
        return "group_missing"
    if is_wrong_type(error):
        return "wrong_key_type"  # the search for stray streams reports which one
    if not is_known(error):
        return "reading_failed"
    return "reading_stopped" if needs_an_operator(error, settings) else "server_away"
