"""Beat's tasks: scheduled by a monotonic clock, with at most one waiting message of each.

A lost message delays its task by seconds. While no worker takes any, the pauses grow up to a day.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from celery import Task
from celery.schedules import schedule

from worker.celery_support import broker_queue
from worker.errors import first_line
from worker.logs import get_logger
from worker.settings import get_settings
from worker.streams.connection import Redis

log = get_logger(__name__)

T = TypeVar("T")


def every(seconds: float) -> schedule:
    """Return a schedule by this process's monotonic clock, so that setting the host's clock does not affect beat."""
    return schedule(timedelta(seconds=seconds), nowfun=_now)


def _now() -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=time.monotonic())


class Scheduled(Task[..., None]):
    """A task that beat sends."""

    def apply_async(self, *arguments: Any, **options: Any) -> Any:
        """Send a message, or return None while the last one waits. Raises the broker's errors."""
        milliseconds = int(2000 * get_settings().slice_seconds)
        if not self._at_broker(lambda redis: broker_queue.may_send(redis, self._mark, milliseconds)):
            return None
        return super().apply_async(*arguments, **options)

    def before_start(self, *_: Any) -> None:
        """Let the next message be sent. Called by Celery when a pool process begins the task."""
        try:
            self._at_broker(lambda redis: broker_queue.forget(redis, [self._mark]))
        except broker_queue.BROKER_AWAY as error:
            log.warning("mark_left_to_expire", task=self.name, detail=first_line(error))

    @property
    def _mark(self) -> str:
        return broker_queue.mark(get_settings().stream_key, str(self.name))

    def _at_broker(self, do: Callable[[Redis], T]) -> T:
        with self.app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return do(channel.client)
