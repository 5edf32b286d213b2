"""Celery's consumer of its broker, sooner back after the broker was away."""

from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

from worker.errors import first_line
from worker.telemetry import get_logger

log = get_logger(__name__)

RECONNECT_SECONDS = 2
"""How often a lost broker is tried. Celery itself waits two seconds longer each time, up to thirty."""


class Consumer(consumer.Consumer):
    """The main process's side of the broker; `worker.messages` adds what it hands on."""

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, trying until it succeeds or the worker is told to stop."""
        conn.ensure_connection(
            _say, interval_start=RECONNECT_SECONDS, interval_max=RECONNECT_SECONDS, callback=maybe_shutdown
        )
        connected: Connection = super().ensure_connected(conn)
        return connected

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop the lost connection.

        Closing it, kombu 5.7 returns what was not acknowledged to its queue, through a connection that is gone by then:
        an AttributeError, and the end of the worker. Nothing depends on that return: a lost ring costs a moment, and
        a publishing task is delivered again when its visibility timeout is over.
        """
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            log.warning("broker_connection_dropped", detail=str(error))


def _say(error: Exception, seconds: float) -> None:
    log.error("broker_away", detail=first_line(error), seconds=seconds)
