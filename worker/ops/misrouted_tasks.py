"""Find tasks for our workers in Celery's default queue, where an LMS's `send_task` without a queue puts them."""

import re
from typing import Any

from redis import RedisError

from worker.settings import Settings
from worker.streams.connection import Redis, connect

DEFAULT_QUEUE = "celery"
MOST_MESSAGES = 100
"""Of a long queue, only the newest are looked at."""

_TASK = re.compile(rb'"task": ?"(progress\.lesson_(?:viewed|completed))"')


def find_misrouted_tasks(settings: Settings, redis: Redis) -> list[str]:
    """Return a warning if the broker's default queue holds tasks of ours; none if it cannot be read."""
    if settings.queue == DEFAULT_QUEUE:
        return []
    broker = (
        redis
        if settings.broker_url is None
        else connect(settings.model_copy(update={"redis_url": settings.broker_url}))
    )
    try:
        messages: Any = broker.lrange(DEFAULT_QUEUE, 0, MOST_MESSAGES - 1)
    except RedisError:
        return []
    finally:
        if broker is not redis:
            broker.close()
    names = {found[1].decode() for each in messages if (found := _TASK.search(each))}
    route = f'{{"progress.*": {{"queue": "{settings.queue}"}}}}'
    return [
        f"Celery's queue {DEFAULT_QUEUE} holds {name} tasks, which no worker of ours takes. Send them with "
        f'queue="{settings.queue}", or set task_routes = {route} in the application that sends them; then resend '
        "them."
        for name in sorted(names)
    ]
