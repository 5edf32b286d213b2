"""Find the streams whose holder does not read them, by this process's monotonic clock alone.

Redis' clock may be set back by a restart: then the entries have no age, and the lease of a dead consumer may live long.
"""

import time
from collections.abc import Iterable

from worker.streams.backlog import Backlog


class StalledStreams:
    """What one observer remembers from look to look."""

    def __init__(self, seconds: float) -> None:
        """`seconds` without a delivery make a stream with unread entries stalled."""
        self._seconds = seconds
        self._undelivered: dict[str, tuple[str, float]] = {}

    def among(self, backlogs: Iterable[Backlog]) -> list[str]:
        """Those with unread entries of which nobody was given any for so long, as seen by every look since.

        A long backlog that is being read is not stalled.
        """
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
