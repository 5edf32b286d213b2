"""Celery's consumer: reconnects sooner, takes only its own system's queues, and drops messages that are not tasks."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from celery.exceptions import WorkerShutdown
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection, Message
from msgspec import MsgspecError

from worker.celery_support import broker_queue, message_filter
from worker.connection_errors import redis_problem
from worker.errors import first_line
from worker.logs import get_logger
from worker.settings import get_settings

log = get_logger(__name__)

RECONNECT_SECONDS = 2
"""Pause between attempts to reach a lost broker. Celery's own grows by two seconds each time, up to thirty."""
MAX_NAME_CHARACTERS = 100
"""Maximum length of an unknown task's name in the log."""
KEPT_PREFIX = "progress.lesson"
"""An unknown task that begins like this is a misspelt one of an LMS: it is kept as a dead letter."""
KEEPER = "progress.unknown_lesson_task"


class Consumer(consumer.Consumer):
    """The main process's side of the broker; `worker.celeryconfig` names it."""

    def connect(self) -> Any:
        """Connect, check the owner of our queues, and let beat send messages again that may have been lost."""
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
        """Retry until the connection succeeds or the worker is asked to stop."""
        conn.ensure_connection(
            log_retry, interval_start=RECONNECT_SECONDS, interval_max=RECONNECT_SECONDS, callback=maybe_shutdown
        )
        connected: Connection = super().ensure_connected(conn)
        return connected

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Message], None]:
        """Return Celery's handler behind the filter."""
        handle = super().create_task_handler(*arguments, **options)

        def handle_or_refuse(message: Message) -> None:
            try:
                task = message_filter.read(message)
            except (MsgspecError, RecursionError, ValueError) as error:
                message_filter.refuse(f"not a task: {first_line(error)}")
                message.reject()
                return
            if task.task not in self.app.tasks:
                is_kept = task.task.startswith(KEPT_PREFIX) and "task" in message.headers
                message_filter.refuse(_unknown(task, self.app.tasks, is_kept=is_kept))
                if not is_kept:
                    message.reject()
                    return
                message.headers |= {"task": KEEPER, "unknown_task": task.task}
            handle(message)

        return handle_or_refuse

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Drop the message like Celery, but keep its content out of the log."""
        message_filter.refuse(f"not readable: {first_line(exc)}")
        message.ack()


def _scheduled_to(app: Any, name: str) -> list[str]:
    """Return the tasks that beat sends to this queue."""
    tasks = (str(entry["task"]) for entry in app.conf.beat_schedule.values())
    return [task for task in tasks if app.amqp.router.route({}, task)["queue"].name == name]


def _unknown(task: message_filter.Task, known: Iterable[str], *, is_kept: bool) -> str:
    name = task.task[:MAX_NAME_CHARACTERS]
    near = get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    kept = " It is kept as a dead letter." if is_kept else ""
    return f"unknown task: {name}, id {task.id[:MAX_NAME_CHARACTERS]}.{hint}{kept}"


def _refusal(name: str, owner: str, stream_key: str) -> str:
    return (
        f"Celery's queue {name} is used by the system of PROGRESS_STREAM_KEY={owner}, and this worker's key is"
        f" {stream_key}: they would take each other's tasks. Give this one a PROGRESS_QUEUE of its own or another"
        f" broker; if that system is gone, delete the key {name}:system from the broker."
    )


def log_retry(error: Exception, seconds: float) -> None:
    """Log a failed attempt to reach the broker, and the seconds until the next."""
    settings = get_settings()
    url, variable = settings.broker_url or str(settings.redis_url), "PROGRESS_BROKER_URL"
    detail = redis_problem(first_line(error), url, variable if settings.broker_url else "REDIS_URL")
    log.error("broker_away", detail=detail, seconds=seconds)
