"""Wake-ups: a worker's main process asks its own pool for drains.

It does so on connecting to the broker, every `PROGRESS_WAKE_UP_SECONDS` by its monotonic clock, and when a drain asks
for another. No message is sent, so reading depends on neither beat, a queue nor a wall clock, and wake-ups cannot pile
up.
"""

import time
from typing import Any

from celery import bootsteps
from kombu import Message
from kombu.serialization import dumps
from kombu.utils.uuid import uuid

from worker.celery_support import worker_process
from worker.logs import get_logger
from worker.settings import get_settings

log = get_logger(__name__)

TASK = "progress.consume_events"


class WakeUp(bootsteps.StartStopStep):
    """Hands the task to Celery as if its message had arrived; at most one waits for a pool process."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _waiting_since: float | None = None

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Start wake-ups. Called by Celery on each connection; a lost one takes timers, readers and waiting tasks."""
        self._waiting_since = None
        hub.call_soon(self._wake_up, parent)
        hub.call_repeatedly(get_settings().wake_up_seconds, self._wake_up, parent)
        hub.add_reader(worker_process.WAKE_UPS, self._on_request, parent)

    def _on_request(self, parent: Any) -> None:
        worker_process.take_wake_ups()
        self._wake_up(parent)

    def _wake_up(self, parent: Any) -> None:
        if not _is_reading(parent) or self._must_wait():
            return
        self._waiting_since = time.monotonic()
        task = parent.app.amqp.as_task_v2(uuid(), TASK)
        content_type, encoding, body = dumps(task.body, serializer="json")
        message = Message(
            body, content_type=content_type, content_encoding=encoding, headers=task.headers, properties=task.properties
        )
        parent.strategies[TASK](message, None, self._on_begun, self._on_begun, ())

    def _must_wait(self) -> bool:
        """Return whether the last wake-up is unanswered and too recent to count as lost."""
        if self._waiting_since is None:
            return False
        waited = time.monotonic() - self._waiting_since
        if waited < 2 * get_settings().slice_seconds:
            return True
        log.warning("wake_up_unanswered", seconds=round(waited, 1))
        return False

    def _on_begun(self, *_: object) -> None:
        """Allow the next wake-up. Celery acknowledges when a pool process begins, or the task was revoked."""
        self._waiting_since = None


def _is_reading(parent: Any) -> bool:
    """Return whether this worker drains the streams and is not about to end."""
    settings = get_settings()
    if worker_process.is_stopping() or parent.blueprint.state != bootsteps.RUN:  # type: ignore[attr-defined] # unknown to the stubs
        return False
    return bool(parent.task_consumer.consuming_from(settings.consume_queue or settings.queue))
