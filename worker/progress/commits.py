"""What one consumer has committed, held against what PostgreSQL says: an older copy put back has forgotten some.

Behind a pooler that may happen without a cut connection. So the consumer remembers how many transactions of each stream
it has committed, and each new one must be the next.
"""

import time
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from worker.contract.committed import Committed
from worker.contract.entry import Entry
from worker.contract.entry_id import EntryId, parse_id
from worker.database import system_table
from worker.errors import CommitsLostError
from worker.progress import stream_positions

MEMORY_SECONDS = 1_800
"""What was committed longer ago is not held against PostgreSQL, which forgets it after a day."""


class Commits:
    """The memory of one consumer."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.committed: dict[str, Committed] = {}
        """Of each stream, to be written down with the next acknowledgment."""
        self._since: dict[str, float] = {}
        """When the last transaction of each stream was, by the monotonic clock."""
        self._noted: dict[str, Committed] = {}
        self._replays: int | None = None

    def note(self, connection: Connection, entries: Sequence[Entry], *, in_order: bool = False) -> None:
        """Write down, in the caller's transaction, that it records these entries; `keep` must follow its COMMIT.

        `in_order` says that each stream's are. Raises CommitsLostError when PostgreSQL does not know the transaction
        before.
        """
        last = (_last_in_order if in_order else _last_ids)(entries)
        self._noted = stream_positions.advance(connection, self.consumer, last) if entries else {}
        remembered = self._remembered()
        if any(each.batches != remembered.get(stream, each.batches - 1) + 1 for stream, each in self._noted.items()):
            raise CommitsLostError(
                "PostgreSQL has forgotten what this consumer committed: an older copy was put back, or a standby that "
                "was behind took over. Nothing more is recorded before what was lost is applied again."
            )

    def keep(self) -> None:
        """The transaction of the last `note` is committed."""
        self.committed |= self._noted
        self._since |= dict.fromkeys(self._noted, time.monotonic())

    def recall(self, connection: Connection, streams: Collection[str]) -> bool:
        """Remember what PostgreSQL says; whether that is less than before, and nobody has replayed since."""
        is_new = self.is_latest(connection)
        found = stream_positions.committed(connection, self.consumer, streams)
        counts = {stream: each.batches for stream, each in found.items()}
        remembered = {stream: batches for stream, batches in self._remembered().items() if stream in streams}
        is_behind = any(counts.get(stream, 0) < batches for stream, batches in remembered.items())
        self.committed = found
        self._since = dict.fromkeys(found, time.monotonic())
        self._replays = system_table.read_repairs(connection).replays
        return is_behind and is_new

    def is_latest(self, connection: Connection) -> bool:
        """Nobody has replayed since the last `recall`."""
        return system_table.read_repairs(connection).replays == self._replays

    def _remembered(self) -> dict[str, int]:
        since = time.monotonic() - MEMORY_SECONDS
        return {stream: each.batches for stream, each in self.committed.items() if self._since[stream] > since}


def _last_in_order(entries: Iterable[Entry]) -> dict[str, EntryId]:
    return {stream: parse_id(entry_id) for stream, entry_id in {each.stream: each.id for each in entries}.items()}


def _last_ids(entries: Iterable[Entry]) -> dict[str, EntryId]:
    last: dict[str, EntryId] = {}
    for entry in entries:
        entry_id = parse_id(entry.id)
        if entry_id > last.get(entry.stream, (-1, -1)):
            last[entry.stream] = entry_id
    return last
