"""Compare PostgreSQL's commits with Redis's acknowledgments before recording anything new.

Entries are acknowledged after COMMIT. PostgreSQL has therefore lost commits, for instance by restoring an older backup,
when an acknowledged entry is above every position it has, or when a consumer noted more transactions with its
acknowledgment than it has. Conversely, a stream that was not delivered up to PostgreSQL's position is an older copy.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from worker.contract.entry_id import BEGINNING, EntryId, format_id, moment
from worker.database import system_table
from worker.errors import CommitsLostError
from worker.failover.replay import read_again, replay
from worker.logs import get_logger
from worker.progress import stream_positions
from worker.progress.commits import Commits
from worker.streams import commit_marks, stream_state
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stream_state import StreamState

log = get_logger(__name__)

_KEEP_ALIVE = text("SELECT 1")


@dataclass(frozen=True, slots=True)
class Lost:
    """A stream whose commits PostgreSQL has lost."""

    state: StreamState
    postgresql_at: EntryId
    redis_at: EntryId


def reconcile(
    engine: Engine, redis: Redis, keys: Keys, commits: Commits, batch_size: int, go_on: Callable[[], bool]
) -> bool:
    """Replay what PostgreSQL lost, if anything; False when `go_on` stopped the replay early.

    A replay records everything that was delivered and is still in the streams, one consumer at a time; the next one
    continues an interrupted replay. Raises CommitsLostError while another consumer is replaying.
    """
    with engine.begin() as connection:
        known = stream_positions.highest(connection, keys.streams)
        is_behind = commits.recall(connection, keys.streams)
        is_unfinished = system_table.replay_cursor(connection) is not None
    states = stream_state.read(redis, keys.group, keys.streams)
    _note_put_back(engine, redis, states, known)
    if not is_behind and not is_unfinished and not _losses(engine, redis, keys, states):
        return True
    with engine.begin() as guard:  # open for its lock; `keep_alive` keeps it from the idle timeout
        if not system_table.lock_replay(guard):
            raise CommitsLostError("PostgreSQL has lost commits, and another consumer applies them again: waiting.")
        losses = _losses(engine, redis, keys, stream_state.read(redis, keys.group, keys.streams))
        if system_table.replay_cursor(guard) is None:
            if not losses and not (is_behind and commits.is_latest(guard)):
                return True  # another consumer has replayed it
            _begin(engine, commits, losses)

        def keep_alive() -> bool:
            guard.execute(_KEEP_ALIVE)
            return go_on()

        for part in read_again(redis, keys, batch_size, after=system_table.replay_cursor(guard)):
            if not keep_alive():
                return False
            done = replay(engine, redis, keys, part, commits.consumer, keep_alive)
            with engine.begin() as connection:
                system_table.advance_replay(connection, part[-1].stream, part[-1].id, len(part), done.applied)
        reached = {each.stream: BEGINNING for each in states if each.last_delivered > BEGINNING}
        reached |= {each.state.stream: each.redis_at for each in losses}
        with engine.begin() as connection:  # a new transaction: its now() is later than the replay's beginning
            committed = stream_positions.advance(connection, commits.consumer, reached)
        system_table.end_replay(guard)
        repairs = system_table.read_repairs(guard)
    commit_marks.begin(redis, commits.consumer, committed)
    log.log(
        logging.ERROR if repairs.publish_again_from else logging.WARNING,
        "commits_replayed",
        entries=repairs.entries_replayed,
        applied=repairs.applied_again,
        complete=repairs.publish_again_from is None,
        publish_again_from=repairs.publish_again_from and repairs.publish_again_from.isoformat(),
    )
    with engine.begin() as connection:
        commits.recall(connection, keys.streams)
    return True


def _losses(engine: Engine, redis: Redis, keys: Keys, states: Sequence[StreamState]) -> list[Lost]:
    """Read PostgreSQL last: whatever Redis had acknowledged by then was committed before."""
    with engine.connect() as connection:
        before = stream_positions.highest(connection, keys.streams)
    reached = {
        each.stream: acknowledged
        for each in states
        if (
            acknowledged := stream_state.highest_acknowledged(
                redis, keys.group, each, before.get(each.stream, BEGINNING)
            )
        )
    }
    committed = commit_marks.read(redis, keys.streams)
    if not reached and not committed:
        return []
    with engine.connect() as connection:
        known = stream_positions.highest(connection, keys.streams)
        lost = stream_positions.lost(connection, committed)
    found = []
    for each in states:
        position = known.get(each.stream, BEGINNING)
        acknowledged = max(reached.get(each.stream, BEGINNING), position)
        if acknowledged > position or each.stream in lost:
            found.append(Lost(each, position, acknowledged))
    return found


def _begin(engine: Engine, commits: Commits, losses: Sequence[Lost]) -> None:
    """Log what is lost and record that a replay begins."""
    for each in losses:
        at = {"postgresql_at": format_id(each.postgresql_at), "redis_at": format_id(each.redis_at)}
        log.error("commits_lost", stream=each.state.stream, **at)
    if not losses:
        log.error("commits_lost", consumer=commits.consumer)
    with engine.begin() as connection:
        system_table.begin_replay(connection, _publish_again_from(losses))


def _publish_again_from(losses: Iterable[Lost]) -> datetime | None:
    """Return the time since which events may be gone from Redis too; None if it has them all."""
    gone = [each.postgresql_at for each in losses if not each.state.has_all_since(each.postgresql_at)]
    return (moment(min(gone)) or datetime.fromtimestamp(0, UTC)) if gone else None


def _note_put_back(engine: Engine, redis: Redis, states: Iterable[StreamState], known: Mapping[str, EntryId]) -> None:
    """Log the streams that are older than PostgreSQL's position in them, and lower these positions.

    A recreated group has delivered less too, but its stream still has the entry.
    """
    for each in states:
        position = known.get(each.stream, BEGINNING)
        if each.last_delivered >= position or stream_state.has_entry(redis, each.stream, position):
            continue
        since = moment(each.last_delivered) or moment(position)
        log.error(
            "redis_put_back",
            stream=each.stream,
            postgresql_at=format_id(position),
            redis_at=format_id(each.last_delivered),
            publish_again_from=since and since.isoformat(),
        )
        with engine.begin() as connection:
            stream_positions.lower(connection, each.stream, each.last_delivered, position)
            system_table.remember_put_back(connection, since)
