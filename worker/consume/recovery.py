"""Record what was delivered and never acknowledged: a consumer's own pending entries, and those of dead consumers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from worker.consume.consumer import Consumer, KeepAlive, ReadingStopped, always
from worker.consume.quarantine import record_again
from worker.contract.entry import Entry
from worker.database import schema
from worker.failover.lost_commits import reconcile
from worker.failover.ownership import claim_streams
from worker.logs import get_logger
from worker.streams import read
from worker.streams.future_deliveries import FutureDeliveries

log = get_logger(__name__)


class Recovery:
    """Of one consumer, with its memory from one drain to the next."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.is_needed = True
        """Nothing was read yet, or reading was interrupted: entries may be pending that were not recorded."""
        self._cursors: dict[str, str] = {}
        self._reclaim_at = 0.0
        idle_seconds = consumer.settings.reclaim_idle_seconds
        self._future = FutureDeliveries(consumer.redis, consumer.keys.group, idle_seconds)

    @contextmanager
    def before_reading(self, keep_alive: KeepAlive) -> Iterator[None]:
        """Recover if the last block was interrupted, then run the block."""
        if self.is_needed:
            self.recover(keep_alive)
        self.is_needed = True
        yield
        self.is_needed = False

    def recover(self, keep_alive: KeepAlive = always) -> None:
        """Return once both servers belong to this system, no commit is lost and all own pending entries are recorded.

        Asks PostgreSQL first: entries read again and again while it is away would look like poison. A poison entry that
        cannot be recorded now stays pending; any consumer reclaims it later.
        """
        consumer = self._consumer
        redis, engine, settings = consumer.redis, consumer.engine, consumer.settings
        with engine.connect() as connection:
            schema.check(connection)
            consumer.system = claim_streams(connection, redis, consumer.keys, consumer.name)
        consumer.finish_reading()
        consumer.held_back.forget()
        consumer.strays.look_again()
        consumer.find_strays()
        keys = consumer.keys
        read.create_groups(redis, keys.group, keys.streams)
        ends_at = time.monotonic() + settings.slice_seconds

        def go_on() -> bool:
            return keep_alive() and time.monotonic() < ends_at

        if not reconcile(engine, redis, keys, consumer.commits, settings.batch_size, go_on):
            raise ReadingStopped
        after = dict.fromkeys(keys.streams, "0")
        while entries := read.read_pending(redis, keys.group, consumer.name, after, consumer.share(keys.streams)):
            record_again(consumer, entries, keep_alive)
            after |= {entry.stream: entry.id for entry in entries}

    def reclaim(self, streams: Sequence[str], keep_alive: KeepAlive = always) -> None:
        """Every few seconds, take over and record a page of what has been pending too long on each of these streams."""
        if time.monotonic() < self._reclaim_at:
            return
        consumer, settings = self._consumer, self._consumer.settings
        self._reclaim_at = time.monotonic() + settings.reclaim_interval_seconds
        for stream in streams:
            self._cursors[stream], entries = read.reclaim(
                consumer.redis,
                consumer.keys.group,
                consumer.name,
                stream,
                settings.reclaim_idle_seconds,
                self._cursors.get(stream, "0-0"),
                consumer.batch_size.entries,
            )
            if self._cursors[stream] != "0-0":
                self._reclaim_at = 0.0
            if entries:
                self._record(entries, keep_alive)
        all_streams, count = consumer.keys.streams, consumer.batch_size.entries
        for entries in self._future.take_over(consumer.name, all_streams, streams, count):
            self._record(entries, keep_alive)

    def give_back(self) -> None:
        """Leave the own pending entries to whoever reads their streams next. Raises RedisError."""
        consumer = self._consumer
        idle_seconds = consumer.settings.reclaim_idle_seconds
        read.give_back_pending(consumer.redis, consumer.keys.group, consumer.name, consumer.keys.streams, idle_seconds)

    def _record(self, entries: list[Entry], keep_alive: KeepAlive) -> None:
        stream = entries[0].stream
        log.info("entries_reclaimed", consumer=self._consumer.name, stream=stream, entries=len(entries))
        record_again(self._consumer, entries, keep_alive)
