"""Celery's scheduler, which waits for a lost broker like the worker: with one line for each attempt."""

from typing import Any

from celery import beat
from kombu import Connection

from worker.celery_support.broker_consumer import RECONNECT_SECONDS, log_retry
from worker.celery_support.broker_queue import BROKER_AWAY


class Scheduler(beat.Scheduler):
    """In memory, because every entry is a plain interval; `celeryconfig.beat_scheduler` names it."""

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> Any:
        """Send the task's message. If the broker is away, wait for it; the task is sent when it is due again."""
        try:
            return super().apply_async(entry, producer=producer, advance=advance, **options)
        except beat.SchedulingError as error:
            cause = error.__context__
            if not isinstance(cause, BROKER_AWAY):
                raise
            self.close()
            self._ensure_connected(cause)
            return None

    def _ensure_connected(self, cause: Exception | None = None) -> Connection:
        """Retry until the connection succeeds. If the first attempt does, log the `cause` of the new connection."""
        attempts = []

        def log_attempt(error: Exception, seconds: float) -> None:
            attempts.append(error)
            log_retry(error, seconds)

        connected: Connection = self.connection.ensure_connection(
            log_attempt, interval_start=RECONNECT_SECONDS, interval_max=RECONNECT_SECONDS
        )
        if cause and not attempts:
            log_retry(cause, 0)
        return connected
