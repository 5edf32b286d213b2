"""Which messages become tasks. Any other is refused with a log line and gone; none ends the worker.

Celery checks a message where it uses each part of it, some of that far from its reader: there a part of the wrong type
ends the whole worker, and the message, given back to the queue, the next one. So all parts are looked at beforehand.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any

from kombu import Message
from kombu.transport import redis
from msgspec import Meta, MsgspecError, Struct, convert

from worker.celery_support import broker_consumer
from worker.errors import first_line
from worker.logs import get_logger
from worker.printable import printable

log = get_logger(__name__)

NAMED_CHARACTERS = 100
"""So much of a stranger's task name is logged."""

_Signatures = list[dict[str, Any]] | None


class Embedded(Struct):
    """What a message says to do besides."""

    callbacks: _Signatures = None
    errbacks: _Signatures = None
    chain: _Signatures = None
    chord: dict[str, Any] | None = None


class Task(Struct):
    """The parts of a task message that Celery uses: headers, or in Celery's first protocol members of the body."""

    task: str
    id: Annotated[str, Meta(min_length=1)]
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    eta: str | None = None
    expires: str | None = None
    retries: int | None = None
    timelimit: tuple[float | None, float | None] | None = None
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    stamped_headers: list[str] | None = None
    stamps: dict[str, Any] | None = None


class Consumer(broker_consumer.Consumer):
    """Celery's consumer, which hands on only such messages; `celeryconfig.worker_consumer` names it."""

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Message], None]:
        """Celery's handler behind the check."""
        handle = super().create_task_handler(*arguments, **options)

        def handle_or_refuse(message: Message) -> None:
            try:
                name = read(message).task
            except (MsgspecError, RecursionError, ValueError) as error:
                refuse(f"not a task: {first_line(error)}")
                message.reject()
                return
            if name not in self.app.tasks:
                refuse(f"unknown task: {name[:NAMED_CHARACTERS]}")
                message.reject()
                return
            handle(message)

        return handle_or_refuse

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Like Celery's, without the message's content in the log."""
        refuse(f"not readable: {first_line(exc)}")
        message.ack()


NO_MESSAGE = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What kombu raises when it reads bytes that are none."""


class Channel(redis.Channel):
    """Kombu's reader of Redis' lists and channels, where bytes may come that are no message at all."""

    def _brpop_read(self, **options: Any) -> bool:
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[misc] # unknown to the stubs
        except NO_MESSAGE as error:
            refuse(f"not a message: {type(error).__name__}")
            return True

    def _receive_one(self, connection: Any) -> bool:
        try:
            return bool(super()._receive_one(connection))  # type: ignore[misc] # unknown to the stubs
        except NO_MESSAGE as error:
            refuse(f"not a message to all workers: {type(error).__name__}")
            return True


class Transport(redis.Transport):
    """Kombu's way to Redis with that reader; in a worker `celeryconfig` puts it in the place of kombu's own."""

    Channel = Channel


def read(message: Message) -> Task:
    """What the message says. Raises MsgspecError, RecursionError or ValueError."""
    if message.content_type != "application/json":
        raise ValueError("its content is not JSON")
    body = json.loads(message.body or b"")  # as Celery does, NaN and lone surrogates included
    if "task" not in message.headers:
        return convert(body, Task)
    convert(body, tuple[list[Any], dict[str, Any], Embedded | None])
    return convert(message.headers, Task)


def refuse(why: str) -> None:
    """Say so."""
    log.error("message_refused", detail=printable(why))
