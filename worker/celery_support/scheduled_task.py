"""Beat's tasks: by a clock that nobody sets, and at most one message of each waits to be taken.

A message lost costs seconds, then the next one is sent; while no worker takes any, the pauses grow up to a day.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from celery import Task
from celery.schedules import schedule
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.celery_support import broker_queue
from worker.errors import first_line
from worker.logs import get_logger
from worker.settings import get_settings
from worker.streams.connection import Redis

log = get_logger(__name__)

T = TypeVar("T")


def every(seconds: float) -> schedule:
    """So often by this process's monotonic clock: a host clock that is set neither stops beat nor makes it hurry."""
    return schedule(timedelta(seconds=seconds), nowfun=_now)


def _now() -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=time.monotonic())


class Scheduled(Task[..., None]):
    """A task that beat sends."""

    def apply_async(self, *arguments: Any, **options: Any) -> Any:
        """Send a message, or none (and return None) while the last one waits. Raises what the broker raises."""
        milliseconds = int(2000 * get_settings().slice_seconds)
        if not self._at_broker(lambda redis: broker_queue.may_send(redis, self._mark, milliseconds)):
            return None
        return super().apply_async(*arguments, **options)

    def before_start(self, *_: Any) -> None:
        """Called by Celery as a pool process begins: from now on the next message may be sent."""
        try:
            self._at_broker(lambda redis: broker_queue.forget(redis, [self._mark]))
        except (OperationalError, RedisError, OSError) as error:
            log.warning("mark_left_to_expire", task=self.name, detail=first_line(error))

    @property
    def _mark(self) -> str:
        return broker_queue.mark(get_settings().stream_key, str(self.name))

    def _at_broker(self, do: Callable[[Redis], T]) -> T:
        with self.app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return do(channel.client)
