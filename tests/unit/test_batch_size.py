"""How much is read and recorded at once follows the size of the entries, not only their number."""

from worker.contract.entry import Entry
from worker.streams.batch_size import BATCH_BYTES, AdaptiveBatchSize, split_batches

MEGABYTE = 1024 * 1024


def made(*sizes: int) -> list[Entry]:
    return [Entry("s", f"1-{number}", bytes(size)) for number, size in enumerate(sizes)]


def test_the_first_read_is_small_whatever_waits() -> None:
    assert AdaptiveBatchSize(10_000).entries < 100


def test_small_entries_are_asked_for_in_growing_numbers_up_to_a_batch() -> None:
    batch_size_now = AdaptiveBatchSize(2_000)
    for _ in range(10):
        batch_size_now.observe(made(*[100] * batch_size_now.entries))
    assert batch_size_now.entries == 2_000


def test_a_read_that_found_little_says_nothing_about_more() -> None:
    batch_size_now = AdaptiveBatchSize(2_000)
    before = batch_size_now.entries
    batch_size_now.observe(made(100))
    assert batch_size_now.entries == before


def test_after_large_entries_as_many_are_asked_for_as_fit() -> None:
    batch_size_now = AdaptiveBatchSize(64)
    batch_size_now.observe(made(*[5 * MEGABYTE] * 64))
    assert 1 <= batch_size_now.entries * 5 * MEGABYTE <= BATCH_BYTES


def test_after_one_enormous_entry_one_is_still_asked_for() -> None:
    batch_size_now = AdaptiveBatchSize(64)
    batch_size_now.observe(made(100 * BATCH_BYTES // 64))
    batch_size_now.observe(made(2 * BATCH_BYTES))
    assert batch_size_now.entries >= 1


def test_batches_keep_the_order_and_both_bounds() -> None:
    entries = made(*[7 * MEGABYTE] * 5, *[10] * 7)
    pieces = list(split_batches(entries, 4))
    assert [entry for piece in pieces for entry in piece] == entries
    assert all(len(piece) <= 4 for piece in pieces)
    assert all(sum(len(entry.body or b"") for entry in piece) <= BATCH_BYTES for piece in pieces)


def test_an_entry_larger_than_a_batch_comes_alone() -> None:
    entries = made(10, BATCH_BYTES + 1, 10)
    assert [len(piece) for piece in split_batches(entries, 100)] == [1, 1, 1]


def test_nothing_makes_no_batch() -> None:
    assert list(split_batches([], 100)) == []
