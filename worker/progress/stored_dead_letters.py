"""Stored dead letters as operators see them: list, show, count, discard."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from worker.contract.entry import Entry

_SELECT = "SELECT id, stream, entry_id, reason, detail, user_course_id, body, fields, created_at FROM dead_letter"

_LIST = text(f"""
    {_SELECT}
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_SIZES = text("""
    SELECT id, coalesce(octet_length(body), 0) + coalesce((SELECT sum(octet_length(f)) FROM unnest(fields) AS f), 0)
        AS bytes
    FROM dead_letter
    WHERE id > :after AND id <= :last AND (CAST(:reason AS text) IS NULL OR reason = :reason)
      AND (CAST(:user_course_id AS bigint) IS NULL OR user_course_id = :user_course_id)
      AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until)
    ORDER BY id LIMIT :limit
""")

_GET_MANY = text(f"{_SELECT} WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id")

_GET = text(f"{_SELECT} WHERE id = :id")

_COUNT = text("SELECT reason, count(*) AS dead_letters FROM dead_letter GROUP BY reason ORDER BY reason")

_IDS = text("""
    SELECT id FROM dead_letter
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_REASONS = text("""
    SELECT reason, array_agg(id ORDER BY id) AS ids FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[]))
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


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters; None is any. `since` includes and `until` excludes its instant."""

    reason: str | None = None
    user_course_id: int | None = None
    """Only those parked for this enrollment."""
    since: datetime | None = None
    until: datetime | None = None


def dead_letter_sizes(
    connection: Connection, selection: Selection, after: int, last: int, limit: int
) -> list[tuple[int, int]]:
    """Return ids above `after` up to `last` and the bytes of each one's content, in order."""
    parameters = {**asdict(selection), "after": after, "last": last, "limit": limit}
    return [(row.id, row.bytes) for row in connection.execute(_SIZES, parameters)]


def get_dead_letters(connection: Connection, ids: Sequence[int]) -> list[StoredDeadLetter]:
    """Return those of these dead letters that exist, oldest first."""
    return [_stored(row) for row in connection.execute(_GET_MANY, {"ids": list(ids)})]


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


def ids_by_reason(connection: Connection, ids: Sequence[int]) -> dict[str, list[int]]:
    """Return which of these dead letters exist, by reason."""
    return {row.reason: row.ids for row in connection.execute(_REASONS, {"ids": list(ids)})}


def discard_dead_letters(connection: Connection, ids: Sequence[int]) -> int:
    """Delete these dead letters and so give up their events; return how many existed."""
    return connection.execute(_DISCARD, {"ids": list(ids)}).rowcount


def _stored(row: Row[tuple[object, ...]]) -> StoredDeadLetter:
    entry = Entry(row.stream, row.entry_id, row.body, tuple(row.fields or ()))
    return StoredDeadLetter(row.id, entry, row.reason, row.detail, row.user_course_id, row.created_at)
