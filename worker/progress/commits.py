"""Compare what one consumer has committed with what PostgreSQL knows, to detect a restored older copy.

Behind a pooler a restore may not break the connection. So the consumer counts its transactions per stream, and
PostgreSQL's count must match with each new one.
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
"""Older commits are not compared; PostgreSQL deletes its own count after a day."""


class Commits:
    """The memory of one consumer."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.committed: dict[str, Committed] = {}
        """The commit mark of each stream, to be stored with the next acknowledgment."""
        self._since: dict[str, float] = {}
        """The time of each stream's last transaction, by the monotonic clock."""
        self._noted: dict[str, Committed] = {}
        self._replays: int | None = None

    def note(self, connection: Connection, entries: Sequence[Entry], *, in_order: bool = False) -> None:
        """Store in the caller's transaction that it records these entries; call `keep` after its COMMIT.

        `in_order`: the entries of each stream are sorted. Raises CommitsLostError if PostgreSQL does not know the
        previous transaction.
        """
        last = (_last_in_order if in_order else _last_ids)(entries)
        self._noted = stream_positions.advance(connection, self.consumer, last) if entries else {}
        remembered = self._remembered()
        if any(each.batches != remembered.get(stream, each.batches - 1) + 1 for stream, each in self._noted.items()):
            raise CommitsLostError(
                "PostgreSQL has lost commits of this consumer: an older copy was restored, or a standby that was "
                "behind took over. Nothing more is recorded until the lost entries are applied again."
            )

    def keep(self) -> None:
        """Remember that the transaction of the last `note` is committed."""
        self.committed |= self._noted
        self._since |= dict.fromkeys(self._noted, time.monotonic())

    def recall(self, connection: Connection, streams: Collection[str]) -> bool:
        """Adopt PostgreSQL's counts; return whether they are lower than ours and no consumer has replayed since."""
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
        """Return whether no consumer has replayed since the last `recall`."""
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
