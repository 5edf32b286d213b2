"""Which messages become tasks. Any other is logged and dropped; none ends the worker.

Celery checks the parts of a message where it uses them, often far from its reader, and a part of the wrong type there
ends the whole worker; the message, returned to the queue, ends the next one. Hence all parts are checked beforehand.
"""

import json
from typing import Annotated, Any

from kombu import Message
from kombu.transport import redis
from msgspec import Meta, Struct, convert
from redis import ConnectionError as RedisConnectionError

from worker.logs import get_logger
from worker.printable import printable

log = get_logger(__name__)

_Signatures = list[dict[str, Any]] | None


class Embedded(Struct):
    """The third part of a body: further tasks that the message asks for."""

    callbacks: _Signatures = None
    errbacks: _Signatures = None
    chain: _Signatures = None
    chord: dict[str, Any] | None = None


class Task(Struct):
    """The parts of a task message that Celery uses: headers or, in protocol 1, members of the body."""

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


NO_MESSAGE = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""Raised by kombu when it reads bytes that are not a message."""


class Channel(redis.Channel):
    """Kombu's reader, which survives bytes that are not a message, in a list and on a channel."""

    def _brpop_read(self, **options: Any) -> bool:
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[misc] # unknown to the stubs
        except NO_MESSAGE as error:
            refuse(f"not a message: {type(error).__name__}")
            return True

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # Closing a channel after its transport was dropped, kombu 5.7 returns messages to their queue by a new
        # connection. An AttributeError then would end the worker; a ConnectionError is what its callers expect.
        if getattr(self.connection, "client", None) is None:
            raise RedisConnectionError("the connection is closed")
        return dict(super()._connparams(asynchronous))  # type: ignore[misc]

    def _receive_one(self, connection: Any) -> bool:
        try:
            return bool(super()._receive_one(connection))  # type: ignore[misc] # unknown to the stubs
        except NO_MESSAGE as error:
            refuse(f"not a message to all workers: {type(error).__name__}")
            return True


class Transport(redis.Transport):
    """Kombu's Redis transport with that reader; `worker.celeryconfig` puts it in the place of kombu's own."""

    Channel = Channel


def read(message: Message) -> Task:
    """Return the checked message. Raises MsgspecError, RecursionError or ValueError."""
    if message.content_type != "application/json":
        raise ValueError("its content is not JSON")
    body = json.loads(message.body or b"")  # as Celery does, NaN and lone surrogates included
    if "task" not in message.headers:
        return convert(body, Task)
    convert(body, tuple[list[Any], dict[str, Any], Embedded | None])
    return convert(message.headers, Task)


def refuse(why: str) -> None:
    """Log a refused message."""
    log.error("message_refused", detail=printable(why))
