"""Pending entries delivered in the future of Redis's clock, which a restart has set back.

Their idle time is 0 ms until that clock catches up, so XAUTOCLAIM skips them. The monotonic clock of an observer finds
them: a delivery that it has seen before is at least that old.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from redis import ResponseError

from worker.contract.entry import Entry
from worker.streams.connection import Redis
from worker.streams.read import claim, is_missing_group

PAGE = 1_000
"""Pending entries read by one command."""


class FutureDeliveries:
    """The memory of one observer."""

    def __init__(self, redis: Redis, group: str, idle_seconds: float) -> None:
        """A delivery with an idle time of 0 ms in two looks, `idle_seconds` apart, is overdue."""
        self._redis = redis
        self._group = group
        self._idle_seconds = idle_seconds
        self._look_at = 0.0
        self._seen: dict[str, set[tuple[bytes, bytes, int]]] = {}

    def take_over(
        self, consumer: str, streams: Iterable[str], held: Collection[str], count: int
    ) -> Iterator[list[Entry]]:
        """Claim overdue entries of the `held` streams for the consumer; yield up to `count` at a time.

        Yields nothing until the next look is due. Looks at all `streams`, because leases change hands more often.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + self._idle_seconds
        before, self._seen = self._seen, {stream: set(self._just_delivered(stream)) for stream in streams}
        for stream in held:
            overdue = sorted(before.get(stream, set()) & self._seen.get(stream, set()))
            ids = [entry_id.decode() for entry_id, *_ in overdue]
            for start in range(0, len(ids), count):
                if entries := claim(self._redis, self._group, consumer, stream, ids[start : start + count]):
                    yield entries

    def _just_delivered(self, stream: str) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield entry id, consumer and number of deliveries of pending entries with an idle time of 0 ms."""
        start = "-"
        while page := self._page(stream, start):
            for row in page:
                if row["time_since_delivered"] == 0:
                    yield row["message_id"], row["consumer"], row["times_delivered"]
            if len(page) < PAGE:
                return
            start = f"({page[-1]['message_id'].decode()}"

    def _page(self, stream: str, start: str) -> list[dict[str, Any]]:
        try:
            found: Any = self._redis.xpending_range(stream, self._group, start, "+", PAGE)
        except ResponseError as error:
            if is_missing_group(error):
                return []
            raise
        return list(found)
