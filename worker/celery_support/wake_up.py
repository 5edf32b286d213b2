"""Wake-ups: a worker's main process asks its own pool for drains.

It does so on connecting to the broker, every `PROGRESS_WAKE_UP_SECONDS` of its monotonic clock, and when a drain asks
for another. No message is sent: reading depends on neither beat nor a queue nor a wall clock, and wake-ups cannot pile
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
    """Hands the task to Celery as if its message had just come, at most one that no pool process has begun."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _waiting_since: float | None = None

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Called by Celery each time it has connected; disconnecting, it forgets timers, readers and waiting tasks."""
        self._waiting_since = None
        hub.call_soon(self._ring, parent)
        hub.call_repeatedly(get_settings().wake_up_seconds, self._ring, parent)
        hub.add_reader(worker_process.WAKE_UPS, self._answer, parent)

    def _answer(self, parent: Any) -> None:
        worker_process.take_wake_ups()
        self._ring(parent)

    def _ring(self, parent: Any) -> None:
        if not _reads(parent) or self._must_wait():
            return
        self._waiting_since = time.monotonic()
        task = parent.app.amqp.as_task_v2(uuid(), TASK)
        content_type, encoding, body = dumps(task.body, serializer="json")
        message = Message(
            body, content_type=content_type, content_encoding=encoding, headers=task.headers, properties=task.properties
        )
        parent.strategies[TASK](message, None, self._begun, self._begun, ())

    def _must_wait(self) -> bool:
        """The last ring is still unanswered, and not for so long that it may be lost."""
        if self._waiting_since is None:
            return False
        waited = time.monotonic() - self._waiting_since
        if waited < 2 * get_settings().slice_seconds:
            return True
        log.warning("wake_up_unanswered", seconds=round(waited, 1))
        return False

    def _begun(self, *_: object) -> None:
        """Celery acknowledges: a pool process has begun, or the task was revoked."""
        self._waiting_since = None


def _reads(parent: Any) -> bool:
    """This worker takes part in the draining, and is not about to end."""
    settings = get_settings()
    if worker_process.is_stopping() or parent.blueprint.state != bootsteps.RUN:  # type: ignore[attr-defined] # unknown to the stubs
        return False
    return bool(parent.task_consumer.consuming_from(settings.consume_queue or settings.queue))
