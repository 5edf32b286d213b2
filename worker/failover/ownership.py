"""Which system the streams belong to: nobody reads, acknowledges or trims those of another.

A database has a random id. It stands beside every stream, written by the first consumer that finds none there. Who
finds another one has the wrong REDIS_URL or stream key, or is a copy; it remembers that, and takes nothing by itself
when Redis is emptied.
"""

from sqlalchemy import Connection, Engine

from worker.contract.entry_id import BEGINNING
from worker.contract.system_id import System
from worker.database import system_table as storage
from worker.errors import OtherSystemError
from worker.progress import stream_positions
from worker.streams import owner as streams
from worker.streams import stream_state
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays


def claim_streams(connection: Connection, redis: Redis, keys: Keys, consumer: str) -> System:
    """The system of this database, once its streams are its own; commits. Raises OtherSystemError.

    Of a stream that was nobody's, what was acknowledged so far counts as committed: by a version that wrote nothing
    of this down.
    """
    system, was_refused = storage.identify(connection), storage.was_refused(connection)
    try:
        found = refuse_others(redis, keys, system, was_refused=was_refused)
    except OtherSystemError:
        if not was_refused:
            storage.remember_refusal(connection)
            connection.commit()
        raise
    if was_refused:
        storage.end_refusal(connection)
        connection.commit()
    unclaimed = [stream for stream in keys.streams if stream not in found]
    if unclaimed:
        known = stream_positions.highest(connection, unclaimed)
        delivered = {each.stream: each.last_delivered for each in stream_state.read(redis, keys.group, unclaimed)}
        first = {name: last for name, last in delivered.items() if name not in known and last > BEGINNING}
        if first:
            stream_positions.advance(connection, consumer, first)
        connection.commit()
        streams.claim(redis, keys, str(system))
        refuse_others(redis, keys, system)
    return system


def check_system(engine: Engine, redis: Redis, keys: Keys) -> None:
    """Return when no stream is another system's, those beyond the partitions included. Raises OtherSystemError."""
    with engine.connect() as connection:
        system, was_refused = storage.identify(connection), storage.was_refused(connection)
    refuse_others(redis, with_strays(redis, keys)[0], system, was_refused=was_refused)


def refuse_others(redis: Redis, keys: Keys, system: System, *, was_refused: bool = False) -> dict[str, str]:
    """What stands beside each stream, when it is this system or nothing. Raises OtherSystemError.

    Also where nothing stands anywhere and the streams were another's when something did.
    """
    found = streams.owners(redis, keys)
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
            f"The streams {keys.stream_key} of REDIS_URL belong to nobody now, and this system (database "
            f"{system.database}, id {system.id}) was refused before because they were another's. Nothing is read. If "
            "they are to be its own, run `progress-worker system adopt`."
        )
    return found
