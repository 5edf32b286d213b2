"""Append events to the streams."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from worker.contract.entry import FIELD, Entry
from worker.streams.connection import AsyncRedis, Redis, is_wrong_type

Addressed = tuple[str, bytes]
"""A stream and the bytes of an event."""
InsteadOf = Callable[[str], str]
"""Returns the stream to use instead of one whose key has the wrong type."""


def append_many(redis: Redis, events: Iterable[Addressed], instead_of: InsteadOf | None = None) -> list[str]:
    """Append the events in one round trip, two if a stream has the wrong type; return their entry ids, in order.

    Raises the first error of Redis, which may or may not have some of the events. Appending them again is safe: an
    event counts once by its identity.
    """
    events = list(events)
    answers = _xadds(redis.pipeline(transaction=False), events).execute(raise_on_error=False)
    if again := _again(events, answers, instead_of):
        return _merged(answers, again, append_many(redis, again.values()))
    return _merged(answers)


async def append_many_async(
    redis: AsyncRedis, events: Iterable[Addressed], instead_of: InsteadOf | None = None
) -> list[str]:
    """Append the events like `append_many`."""
    events = list(events)
    answers = await _xadds(redis.pipeline(transaction=False), events).execute(raise_on_error=False)
    if again := _again(events, answers, instead_of):
        return _merged(answers, again, await append_many_async(redis, again.values()))
    return _merged(answers)


def _xadds(pipeline: Any, events: Sequence[Addressed]) -> Any:
    for stream, body in events:
        pipeline.xadd(stream, {FIELD: body})
    return pipeline


def _again(events: Sequence[Addressed], answers: Sequence[Any], instead_of: InsteadOf | None) -> dict[int, Addressed]:
    """Return the events to append to another stream, by their number. Raises the first error of another kind."""
    again = {}
    for number, ((stream, body), answer) in enumerate(zip(events, answers, strict=True)):
        if instead_of is not None and is_wrong_type(answer):
            again[number] = (instead_of(stream), body)
        elif isinstance(answer, Exception):
            raise answer
    return again


def _merged(answers: Sequence[Any], again: Iterable[int] = (), ids: Sequence[str] = ()) -> list[str]:
    replaced = dict(zip(again, ids, strict=True))
    return [replaced[number] if number in replaced else str(each, "ascii") for number, each in enumerate(answers)]


def append_again(redis: Redis, entries: Iterable[Entry]) -> None:
    """Append the entries again, with all their fields, in one round trip."""
    pipeline: Any = redis.pipeline(transaction=False)
    for entry in entries:
        event = () if entry.body is None else (FIELD, entry.body)
        pipeline.execute_command("XADD", entry.stream, "*", *event, *entry.fields)
    pipeline.execute()
