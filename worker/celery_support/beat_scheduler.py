"""Celery's scheduler, which waits for a lost broker like the worker: with one line for each attempt."""

from typing import Any

from celery import beat
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.celery_support.broker_consumer import RECONNECT_SECONDS, log_retry

AWAY = (OperationalError, RedisError, OSError)
"""Raised where a message should have been sent and the broker is away."""


class Scheduler(beat.Scheduler):
    """In memory, because every entry is a plain interval; `celeryconfig.beat_scheduler` names it."""

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> Any:
        """Send the task's message. If the broker is away, wait for it; the task is sent when it is due again."""
        try:
            return super().apply_async(entry, producer=producer, advance=advance, **options)
        except beat.SchedulingError as error:
            cause = error.__context__
            if not isinstance(cause, AWAY):
                raise
            log_retry(cause, 0)
            self.close()
            self._ensure_connected()
            return None

    def _ensure_connected(self) -> Connection:
        """Retry until the connection succeeds."""
        connected: Connection = self.connection.ensure_connection(
            log_retry, interval_start=RECONNECT_SECONDS, interval_max=RECONNECT_SECONDS
        )
        return connected
