"""What one consumer has committed, held against what PostgreSQL says: an older copy put back has forgotten some.

Behind a pooler that may happen without a cut connection. So the consumer remembers how many transactions of each stream
it has committed, and each new one must be the next.
"""

import time
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from worker.domain.entry import Entry
from worker.domain.entry_id import EntryId, parse_id
from worker.errors import CommitsLostError
from worker.storage import stream_position, system

MEMORY_SECONDS = 1_800
"""What was committed longer ago is not held against PostgreSQL, which forgets it after a day."""


class Commits:
    """The memory of one consumer."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self._known: dict[str, tuple[int, float]] = {}
        """Of each stream: transactions so far, and when the last one was."""
        self._noted: dict[str, int] = {}
        self._replays: int | None = None

    def note(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Write down, in the caller's transaction, that it records these entries; `keep` must follow its COMMIT.

        Raises CommitsLostError when PostgreSQL does not know the transaction before.
        """
        self._noted = stream_position.advance(connection, self.consumer, _last_ids(entries)) if entries else {}
        remembered = self._remembered()
        if any(batches != remembered.get(stream, batches - 1) + 1 for stream, batches in self._noted.items()):
            raise CommitsLostError(
                "PostgreSQL has forgotten what this consumer committed: an older copy was put back, or a standby that "
                "was behind took over. Nothing more is recorded before what was lost is applied again."
            )

    def keep(self) -> None:
        """The transaction of the last `note` is committed."""
        now = time.monotonic()
        self._known |= {stream: (batches, now) for stream, batches in self._noted.items()}

    def recall(self, connection: Connection, streams: Collection[str]) -> bool:
        """Remember what PostgreSQL says; whether that is less than before, and nobody has replayed since."""
        is_new = self.is_latest(connection)
        found = stream_position.count_batches(connection, self.consumer, streams)
        is_behind = any(found.get(stream, 0) < batches for stream, batches in self._remembered().items())
        now = time.monotonic()
        self._known = {stream: (batches, now) for stream, batches in found.items()}
        self._replays = system.read_repairs(connection).replays
        return is_behind and is_new

    def is_latest(self, connection: Connection) -> bool:
        """Nobody has replayed since the last `recall`."""
        return system.read_repairs(connection).replays == self._replays

    def _remembered(self) -> dict[str, int]:
        since = time.monotonic() - MEMORY_SECONDS
        return {stream: batches for stream, (batches, at) in self._known.items() if at > since}


def _last_ids(entries: Iterable[Entry]) -> dict[str, EntryId]:
    last: dict[str, EntryId] = {}
    for entry in entries:
        entry_id = parse_id(entry.id)
        if entry_id > last.get(entry.stream, (-1, -1)):
            last[entry.stream] = entry_id
    return last
