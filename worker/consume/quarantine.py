"""Record entries that were delivered before; those delivered often are quarantined, as they may be poison.

A poison entry kills the worker that processes it. It is dead-lettered, so that it does not hold up its stream.
"""

from collections.abc import Sequence

from redis import RedisError

from worker.consume.consumer import Consumer, KeepAlive, ReadingStopped, always
from worker.contract.entry import Entry, Reason
from worker.database.failures import has_answered, is_database_error
from worker.errors import ProgressError, first_line
from worker.logs import get_logger
from worker.progress.ingest import store_dead_letter
from worker.streams import read
from worker.streams.quarantine_mark import quarantine

log = get_logger(__name__)


def record_again(consumer: Consumer, entries: Sequence[Entry], keep_alive: KeepAlive = always) -> None:
    """Record entries that were delivered before, those with too many deliveries one by one. Raises ReadingStopped."""
    consumer.batch_size.observe(entries)
    counts = read.delivery_counts(consumer.redis, consumer.keys.group, consumer.name, entries)
    quarantined = {entry for entry in entries if counts.get(entry, 0) > consumer.settings.quarantine_deliveries}
    consumer.record([entry for entry in entries if entry not in quarantined], keep_alive)
    for entry in entries:
        if entry in quarantined:
            if not keep_alive():
                raise ReadingStopped
            _record_alone(consumer, entry)


def _record_alone(consumer: Consumer, entry: Entry) -> None:
    key = consumer.keys.quarantine(entry.stream, entry.id)
    with quarantine(consumer.redis, key, consumer.name) as is_poison:
        if is_poison:
            _dead_letter(consumer, entry, "workers died while they processed it alone")
            return
        try:
            consumer.record([entry])
        except (RedisError, ProgressError):
            raise
        except Exception as error:
            if not is_database_error(error):
                _dead_letter(consumer, entry, f"{type(error).__name__}: {error}")
                return
            if not has_answered(error):
                raise
            detail = first_line(error)
            log.warning("quarantined_entry_left_pending", consumer=consumer.name, entry=entry.id, detail=detail)
            consumer.held_back.leave(entry)


def _dead_letter(consumer: Consumer, entry: Entry, detail: str) -> None:
    log.error("poison_entry", consumer=consumer.name, stream=entry.stream, entry=entry.id, detail=detail)
    store_dead_letter(consumer.engine, entry, Reason.CRASHES_WORKER, detail, consumer.commits)
    consumer.acknowledge([entry])
