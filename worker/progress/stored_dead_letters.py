"""Stored dead letters as operators see them: list, show, count, discard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from worker.contract.entry import Entry

_SELECT = "SELECT id, stream, entry_id, reason, detail, user_course_id, body, fields, created_at FROM dead_letter"

_LIST = text(f"""
    {_SELECT}
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_GET = text(f"{_SELECT} WHERE id = :id")

_COUNT = text("SELECT reason, count(*) AS dead_letters FROM dead_letter GROUP BY reason ORDER BY reason")

_IDS = text("""
    SELECT id FROM dead_letter
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_REASONS = text("""
    SELECT reason, count(*) AS dead_letters FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[]))
    GROUP BY 1 ORDER BY 1
""")

_LAST_ID = text("SELECT max(id) FROM dead_letter")

_DISCARD = text("DELETE FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[]))")


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A row of `dead_letter`."""

    id: int
    entry: Entry
    reason: str
    detail: str
    user_course_id: int | None
    created_at: datetime


def list_dead_letters(connection: Connection, reason: str | None, after: int, limit: int) -> list[StoredDeadLetter]:
    """Return up to `limit` dead letters with ids above `after`, oldest first, with one reason or any."""
    return [_stored(row) for row in connection.execute(_LIST, {"reason": reason, "after": after, "limit": limit})]


def get_dead_letter(connection: Connection, dead_letter_id: int) -> StoredDeadLetter | None:
    """Return one dead letter, or None."""
    row = connection.execute(_GET, {"id": dead_letter_id}).one_or_none()
    return None if row is None else _stored(row)


def count_dead_letters(connection: Connection) -> dict[str, int]:
    """Return the number of dead letters by reason."""
    return {row.reason: row.dead_letters for row in connection.execute(_COUNT)}


def dead_letter_ids(connection: Connection, reason: str | None, after: int, limit: int) -> list[int]:
    """Return up to `limit` ids above `after`, in order, with one reason or any."""
    return list(connection.scalars(_IDS, {"reason": reason, "after": after, "limit": limit}))


def last_dead_letter_id(connection: Connection) -> int:
    """Return the id of the newest dead letter; 0 without any."""
    return int(connection.scalar(_LAST_ID) or 0)


def count_reasons(connection: Connection, ids: Sequence[int]) -> dict[str, int]:
    """Return how many of these dead letters exist, by reason."""
    return {row.reason: row.dead_letters for row in connection.execute(_REASONS, {"ids": list(ids)})}


def discard_dead_letters(connection: Connection, ids: Sequence[int]) -> int:
    """Delete these dead letters and so give up their events; return how many existed."""
    return connection.execute(_DISCARD, {"ids": list(ids)}).rowcount


def _stored(row: Row[tuple[object, ...]]) -> StoredDeadLetter:
    entry = Entry(row.stream, row.entry_id, row.body, tuple(row.fields or ()))
    return StoredDeadLetter(row.id, entry, row.reason, row.detail, row.user_course_id, row.created_at)
