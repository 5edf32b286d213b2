"""Find tasks for our workers in Celery's default queue, where an LMS's `send_task` without a queue puts them."""

import re
import time
from typing import Any

from redis import RedisError

from worker.logs import get_logger
from worker.settings import Settings
from worker.streams.connection import connect

log = get_logger(__name__)

DEFAULT_QUEUE = "celery"
MOST_MESSAGES = 100
"""Of a long queue, only the newest are looked at."""
PAUSE_SECONDS = 300
"""Between two warnings of one process."""

_TASK = re.compile(rb'"task": ?"(progress\.lesson_(?:viewed|completed|reopened))"')


def find_misrouted_tasks(settings: Settings) -> list[str]:
    """Return a warning if the broker's default queue holds tasks of ours; none if it cannot be read."""
    if settings.queue == DEFAULT_QUEUE:
        return []
    broker = connect(settings.model_copy(update={"redis_url": settings.broker_url or settings.redis_url}))
    try:
        messages: Any = broker.lrange(DEFAULT_QUEUE, 0, MOST_MESSAGES - 1)
    except RedisError:
        return []
    finally:
        broker.close()
    names = {found[1].decode() for each in messages if (found := _TASK.search(each))}
    route = f'{{"progress.*": {{"queue": "{settings.queue}"}}}}'
    return [
        f"Celery's queue {DEFAULT_QUEUE} holds {name} tasks, which no worker of ours takes. Send them with "
        f'queue="{settings.queue}", or set task_routes = {route} in the application that sends them; then resend '
        "them."
        for name in sorted(names)
    ]


_warned_at = [time.monotonic()]
"""The pool's first warning need not follow at once on the one that its worker logs at its start."""


def warn(settings: Settings) -> None:
    """Log each warning."""
    for sentence in find_misrouted_tasks(settings):
        log.warning("misrouted_tasks", warning=sentence)


def warn_now_and_then(settings: Settings) -> None:
    """Log each warning, unless this process has looked within PAUSE_SECONDS."""
    if time.monotonic() - _warned_at[0] >= PAUSE_SECONDS:
        _warned_at[0] = time.monotonic()
        warn(settings)
