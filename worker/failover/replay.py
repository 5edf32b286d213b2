"""Replay acknowledged entries that are still in the streams, after PostgreSQL lost commits. Idempotent."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from uuid import uuid4

from redis import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from worker.contract.entry import Entry, Reason
from worker.contract.entry_id import BEGINNING, EntryId, format_id
from worker.failover.ownership import check_system
from worker.progress.ingest import ingest, store_dead_letter
from worker.progress.outcome import Outcome
from worker.progress.redrive import apply_parked
from worker.streams import accounting, publish, stream_state
from worker.streams.batch_size import AdaptiveBatchSize, split_batches
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.quarantine_mark import quarantine
from worker.streams.read import read_range
from worker.streams.stray_streams import with_strays
from worker.streams.totals import add_totals


@dataclass(frozen=True, slots=True)
class Replayed:
    """The entries replayed so far and their outcome, empty in a dry run."""

    entries: int = 0
    outcome: Outcome = field(default_factory=Outcome)


def replay_all(
    engine: Engine, redis: Redis, keys: Keys, batch_size: int, since: EntryId, *, is_dry_run: bool
) -> Iterator[Replayed]:
    """Replay the streams, strays included, and yield the totals first and after each batch.

    Raises OtherSystemError if any stream is another system's.
    """
    check_system(engine, redis, keys)
    keys, _ = with_strays(redis, keys)
    name, total = f"replay-{uuid4().hex[:8]}", Replayed()
    yield total
    for part in read_again(redis, keys, batch_size, since):
        outcome = Outcome() if is_dry_run else replay(engine, redis, keys, part, name, lambda: True)
        total = Replayed(total.entries + len(part), total.outcome + outcome)
        yield total


def read_again(
    redis: Redis, keys: Keys, batch_size: int, since: EntryId = BEGINNING, after: Mapping[str, str] | None = None
) -> Iterator[Sequence[Entry]]:
    """Yield, in batches, every entry from this id on that was delivered and is still there, including pending ones.

    `after` maps some streams to the entry after which to continue.
    """
    for each in stream_state.read(redis, keys.group, keys.streams):
        batch_size_now = AdaptiveBatchSize(batch_size)
        start = f"({after[each.stream]}" if after and each.stream in after else format_id(since)
        last = format_id(each.last_delivered)
        while each.last_delivered >= since and (
            page := read_range(redis, each.stream, start, last, batch_size_now.entries)
        ):
            batch_size_now.observe(page)
            yield from split_batches(page, batch_size)
            start = f"({page[-1].id}"


def replay(
    engine: Engine, redis: Redis, keys: Keys, entries: Sequence[Entry], name: str, go_on: Callable[[], bool]
) -> Outcome:
    """Record the entries and commit; also apply the parked events of their enrollments, while `go_on` agrees.

    Entries of locked enrollments become pending, with the consumer that has them or for any to claim. After a crash in
    the middle of these entries they are recorded one by one, and the one that crashes workers is dead-lettered.
    """
    with quarantine(redis, keys.quarantine(entries[0].stream, f"replay:{entries[0].id}"), name) as is_poison:
        outcome = _one_by_one(engine, redis, keys, entries, name) if is_poison else _record(engine, entries)
    _leave_pending(redis, keys, [entry for entry, _ in outcome.deferred], name)
    add_totals(redis, keys, outcome.totals)
    if outcome.enrolled:
        add_totals(redis, keys, apply_parked(engine, outcome.enrolled, go_on).totals)
    return outcome


def _leave_pending(redis: Redis, keys: Keys, entries: Iterable[Entry], name: str) -> None:
    """Make the entries pending; append those that were trimmed meanwhile as new entries."""
    for stream, its in groupby(sorted(entries, key=attrgetter("stream")), key=attrgetter("stream")):
        by_id = {entry.id: entry for entry in its}
        gone = accounting.make_pending(redis, keys.group, name, stream, list(by_id))
        publish.append_again(redis, [by_id[entry_id] for entry_id in gone])


def _one_by_one(engine: Engine, redis: Redis, keys: Keys, entries: Sequence[Entry], name: str) -> Outcome:
    total = Outcome()
    for entry in entries:
        with quarantine(redis, keys.quarantine(entry.stream, entry.id), name) as is_poison:
            if is_poison:
                total += store_dead_letter(
                    engine, entry, Reason.CRASHES_WORKER, "workers died while they processed it alone"
                )
                continue
            try:
                total += _record(engine, [entry])
            except (RedisError, SQLAlchemyError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it raises, it must not hold up the others for ever
                total += store_dead_letter(engine, entry, Reason.CRASHES_WORKER, f"{type(error).__name__}: {error}")
    return total


def _record(engine: Engine, entries: Sequence[Entry]) -> Outcome:
    return ingest(engine, entries, seen_before=True)
