"""Find streams whose lease holder does not read them, by this process's monotonic clock alone.

A restart may set Redis's clock back: then entries have no age, and a dead consumer's lease may live long.
"""

import time
from collections.abc import Iterable

from worker.streams.backlog import Backlog


class StalledStreams:
    """The memory of one observer."""

    def __init__(self, seconds: float) -> None:
        """A stream with unread entries and no delivery for `seconds` is stalled."""
        self._seconds = seconds
        self._undelivered: dict[str, tuple[str, float]] = {}

    def among(self, backlogs: Iterable[Backlog]) -> list[str]:
        """Return the stalled streams. Call repeatedly; a stream that is being read is not stalled, however behind."""
        stalled, now = [], time.monotonic()
        for each in backlogs:
            if each.oldest_unread_seconds is None:
                self._undelivered.pop(each.stream, None)
                continue
            last_delivered_id, since = self._undelivered.get(each.stream, ("", now))
            if last_delivered_id != each.last_delivered_id:
                self._undelivered[each.stream] = (each.last_delivered_id, now)
            elif now - since >= self._seconds:
                stalled.append(each.stream)
        return stalled
