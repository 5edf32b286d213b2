"""How much to read and to record at once. Redis counts entries, not bytes, so the memory is ours to bound."""

from collections.abc import Iterator, Sequence

from worker.contract.entry import Entry

BATCH_BYTES = 16 * 1024 * 1024
"""Bodies held and sent to PostgreSQL at once; a batch of ordinary events has well under a megabyte."""

_FIRST_ENTRIES = 64


class AdaptiveBatchSize:
    """How many entries to ask for: few at first, four times as many while they are small, fewer when large.

    A process that was killed by its memory starts again with few, so a flood of large entries is got through.
    """

    def __init__(self, max_entries: int) -> None:
        self._most = max_entries
        self.entries = min(_FIRST_ENTRIES, max_entries)

    def observe(self, entries: Sequence[Entry]) -> None:
        """Learn from what was read."""
        size = sum(map(_size, entries))
        if size > BATCH_BYTES:
            self.entries = max(1, self.entries * BATCH_BYTES // size)
        elif 2 * len(entries) >= self.entries:
            self.entries = min(4 * self.entries, self._most)


def split_batches(entries: Sequence[Entry], max_entries: int) -> Iterator[Sequence[Entry]]:
    """The entries in order, in pieces of at most `max_entries` and, one large entry aside, BATCH_BYTES."""
    start = size = 0
    for end, entry in enumerate(entries):
        if end > start and (end - start == max_entries or size + _size(entry) > BATCH_BYTES):
            yield entries[start:end]
            start, size = end, 0
        size += _size(entry)
    if start < len(entries):
        yield entries[start:]


def _size(entry: Entry) -> int:
    return len(entry.body or b"")
