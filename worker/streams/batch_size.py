"""How much to read and record at once. Redis limits by count, not bytes, so we cap memory ourselves."""

from collections.abc import Iterator, Sequence

from worker.contract.entry import Entry

BATCH_BYTES = 16 * 1024 * 1024
"""Maximum size of the bodies held and sent to PostgreSQL at once; a batch of ordinary events is far below 1 MB."""

_FIRST_ENTRIES = 64


class AdaptiveBatchSize:
    """The number of entries to read: few at first, four times as many while they are small, fewer when they are large.

    A process killed for its memory restarts with few, so it gets through a flood of large entries.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self.entries = min(_FIRST_ENTRIES, max_entries)

    def observe(self, entries: Sequence[Entry]) -> None:
        """Adapt to the entries of one read."""
        size = sum(map(size_of, entries))
        if size > BATCH_BYTES:
            self.entries = max(1, self.entries * BATCH_BYTES // size)
        elif 2 * len(entries) >= self.entries:
            self.entries = min(4 * self.entries, self._max_entries)


def split_batches(entries: Sequence[Entry], max_entries: int) -> Iterator[Sequence[Entry]]:
    """Split the entries, in order, into parts of at most `max_entries` and, unless it is one entry, BATCH_BYTES."""
    start = size = 0
    for end, entry in enumerate(entries):
        if end > start and (end - start == max_entries or size + size_of(entry) > BATCH_BYTES):
            yield entries[start:end]
            start, size = end, 0
        size += size_of(entry)
    if start < len(entries):
        yield entries[start:]


def size_of(entry: Entry) -> int:
    """Return the size of the entry's body in bytes."""
    return len(entry.body or b"")
