"""Celery's consumer of its broker: sooner back after the broker was away, and only on queues of its own system."""

from typing import Any

from celery.exceptions import WorkerShutdown
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

from worker.celery_support import broker_queue
from worker.errors import first_line
from worker.logs import get_logger
from worker.settings import get_settings

log = get_logger(__name__)

RECONNECT_SECONDS = 2
"""How often a lost broker is tried. Celery itself waits two seconds longer each time, up to thirty."""


class Consumer(consumer.Consumer):
    """The main process's side of the broker; `worker.celery_support.message_filter` adds what it hands on."""

    def connect(self) -> Any:
        """Connect, see that nobody else's tasks are in our queues, and let beat send anew what may have been lost."""
        connection: Any = super().connect()
        redis, stream_key = connection.default_channel.client, get_settings().stream_key
        for name in self.app.amqp.queues.consume_from:
            if aside := broker_queue.set_aside(redis, name):
                log.error("queue_set_aside", queue=name, renamed=aside)
            owner = broker_queue.claim(redis, name, stream_key)
            if owner != stream_key:
                log.error("queue_of_another_system", detail=_refusal(name, owner, stream_key))
                raise WorkerShutdown(1)
            if broker_queue.is_short(redis, name):
                broker_queue.forget(
                    redis, [broker_queue.mark(stream_key, task) for task in _scheduled_to(self.app, name)]
                )
        return connection

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


def _scheduled_to(app: Any, name: str) -> list[str]:
    """The tasks that beat sends to this queue."""
    tasks = (str(entry["task"]) for entry in app.conf.beat_schedule.values())
    return [task for task in tasks if app.amqp.router.route({}, task)["queue"].name == name]


def _refusal(name: str, owner: str, stream_key: str) -> str:
    return (
        f"Celery's queue {name} is used by the system of PROGRESS_STREAM_KEY={owner}, and this worker's key is"
        f" {stream_key}: one would take the other's tasks. Give this one a PROGRESS_QUEUE of its own or another broker;"
        f" if that system is gone, delete the key {name}:system from the broker."
    )


def _say(error: Exception, seconds: float) -> None:
    log.error("broker_away", detail=first_line(error), seconds=seconds)
