"""The ownership of streams: no consumer reads, acknowledges or trims another system's.

Each database has a random id, which its first consumer writes next to every stream. A consumer that finds another id
has the wrong REDIS_URL or stream key, or runs on a copy of the database. It records the refusal, so that it does not
claim the streams on its own once Redis is emptied.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.contract.entry_id import BEGINNING
from worker.contract.system_id import System
from worker.database import system_table
from worker.errors import OtherSystemError
from worker.progress import stream_positions
from worker.streams import owner_mark, stream_state
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays


@dataclass(frozen=True, slots=True)
class Ownership:
    """This database's system and the system that owns each stream."""

    system: System
    was_refused: bool
    """This system was refused and has not adopted the streams since."""
    keys: Keys
    """The streams, strays included."""
    owners: Mapping[str, System]
    """By stream; unclaimed streams are left out."""

    @property
    def others(self) -> dict[str, System]:
        """The owners that are another system."""
        return {stream: owner for stream, owner in self.owners.items() if not self.system.is_same(owner)}

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to adopt."""
        return not self.others and not self.was_refused


def read_ownership(engine: Engine, redis: Redis, keys: Keys) -> Ownership:
    """Read the system of the database and of each stream."""
    with engine.connect() as connection:
        system, was_refused = system_table.identify(connection), system_table.was_refused(connection)
    keys, _ = with_strays(redis, keys)
    owners = {stream: System.parse(text) for stream, text in owner_mark.owners(redis, keys).items()}
    return Ownership(system, was_refused, keys, owners)


def adopt_streams(engine: Engine, redis: Redis, found: Ownership) -> None:
    """Assign all these streams to this database's system, claimed or not, and end its refusal. Idempotent."""
    owner_mark.take_over(redis, found.keys, str(found.system))
    with engine.begin() as connection:
        system_table.end_refusal(connection)


def claim_streams(connection: Connection, redis: Redis, keys: Keys, consumer: str) -> System:
    """Claim streams without an owner and return this database's system. Commits. Raises OtherSystemError.

    In a stream without an owner everything delivered counts as committed, by an older version that kept no positions.
    """
    system, was_refused = system_table.identify(connection), system_table.was_refused(connection)
    try:
        found = refuse_others(redis, keys, system, was_refused=was_refused)
    except OtherSystemError:
        if not was_refused:
            system_table.remember_refusal(connection)
            connection.commit()
        raise
    if was_refused:
        system_table.end_refusal(connection)
        connection.commit()
    unclaimed = [stream for stream in keys.streams if stream not in found]
    if unclaimed:
        known = stream_positions.highest(connection, unclaimed)
        delivered = {each.stream: each.last_delivered for each in stream_state.read(redis, keys.group, unclaimed)}
        first = {name: last for name, last in delivered.items() if name not in known and last > BEGINNING}
        if first:
            stream_positions.advance(connection, consumer, first)
        connection.commit()
        owner_mark.claim(redis, keys, str(system))
        refuse_others(redis, keys, system)
    return system


def check_system(engine: Engine, redis: Redis, keys: Keys) -> None:
    """Raise OtherSystemError if any stream is another system's, stray streams included."""
    with engine.connect() as connection:
        system, was_refused = system_table.identify(connection), system_table.was_refused(connection)
    refuse_others(redis, with_strays(redis, keys)[0], system, was_refused=was_refused)


def refuse_others(redis: Redis, keys: Keys, system: System, *, was_refused: bool = False) -> dict[str, str]:
    """Return the owner of each stream that has one. Raises OtherSystemError if it is another system.

    Also raises when no stream has an owner but this system was refused before.
    """
    found = owner_mark.owners(redis, keys)
    for stream, text in found.items():
        other = System.parse(text)
        if not system.is_same(other):
            raise OtherSystemError(
                f"The stream {stream} of REDIS_URL belongs to another system (database {other.database or '?'}, id "
                f"{other.id}); this one is database {system.database}, id {system.id}. Nothing is read. Set the right "
                "REDIS_URL or a PROGRESS_STREAM_KEY of its own; or, if this database replaces the other one, run "
                "`progress-worker system adopt`."
            )
    if was_refused and not found:
        raise OtherSystemError(
            f"The streams {keys.stream_key} of REDIS_URL have no owner now, and this system (database "
            f"{system.database}, id {system.id}) was refused before because they were another's. Nothing is read. If "
            "they are to be its own, run `progress-worker system adopt`."
        )
    return found
