"""Dead letters: entries that could not be applied, with reason and bytes; some only wait for their enrollment."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, Row, text

from worker.contract.entry import Entry, Reason
from worker.contract.parse import MAX_BYTES

# All bodies are one parameter, cut here: sent as base64 or as an array, a very large one would take minutes.
_PUT = text("""
    INSERT INTO dead_letter AS known (stream, entry_id, reason, detail, user_course_id, body, fields, fields_digest)
    SELECT e->>0, e->>1, e->>2, e->>3, (e->>4)::bigint, substr(CAST(:bodies AS bytea), (e->>5)::int, (e->>6)::int),
           (SELECT array_agg(substr(CAST(:bodies AS bytea), (f->>0)::int, (f->>1)::int) ORDER BY number)
            FROM jsonb_array_elements(e->7) WITH ORDINALITY AS its (f, number)), decode(e->>8, 'hex')
    FROM jsonb_array_elements(CAST(:letters AS jsonb)) AS given (e)
    ORDER BY 1, 2
    ON CONFLICT (stream, entry_id, body_digest, fields_digest) DO UPDATE
    SET reason = excluded.reason, detail = excluded.detail, user_course_id = excluded.user_course_id
    WHERE (known.reason, known.detail) IS DISTINCT FROM (excluded.reason, excluded.detail)
""")

_READ = text("""
    SELECT id, stream, entry_id, body, fields FROM dead_letter
    WHERE id = ANY(CAST(:ids AS bigint[])) AND coalesce(octet_length(body), 0) <= :max_bytes
    ORDER BY id
""")

_SELECT = "SELECT id, stream, entry_id, reason, detail, user_course_id, body, fields, created_at FROM dead_letter"

_DELETE = text("""
    DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE (stream, entry_id, body_digest, fields_digest) IN (
            SELECT e->>0, e->>1, decode(e->>2, 'hex'), decode(e->>3, 'hex')
            FROM jsonb_array_elements(CAST(:entries AS jsonb)) AS given (e)
        )
        ORDER BY stream, entry_id, body_digest, fields_digest FOR UPDATE
    )
""")

_DISCARD = text("DELETE FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[]))")

_PARKED = text("""
    SELECT id FROM dead_letter
    WHERE reason = 'unknown_enrollment' AND user_course_id = ANY(CAST(:user_course_ids AS bigint[])) AND id > :after
    ORDER BY id LIMIT :limit
""")

_REFERRING = text("""
    SELECT id FROM dead_letter WHERE reason = 'unknown_reference' ORDER BY random() LIMIT :limit
""")

# One index probe per enrollment that is waited for, not per letter, however many letters wait.
_ARRIVED = text("""
    WITH RECURSIVE awaited (user_course_id, number) AS (
        (SELECT user_course_id, 1 FROM dead_letter
         WHERE reason = 'unknown_enrollment' AND user_course_id > :after ORDER BY user_course_id LIMIT 1)
        UNION ALL
        SELECT following.user_course_id, awaited.number + 1
        FROM awaited CROSS JOIN LATERAL (
            SELECT user_course_id FROM dead_letter
            WHERE reason = 'unknown_enrollment' AND user_course_id > awaited.user_course_id
            ORDER BY user_course_id LIMIT 1
        ) AS following
        WHERE awaited.number < :limit
    )
    SELECT max(awaited.user_course_id) AS last_awaited,
           array_agg(user_course.id) FILTER (WHERE user_course.id IS NOT NULL) AS arrived
    FROM awaited LEFT JOIN user_course ON user_course.id = awaited.user_course_id
""")

_LIST = text(f"""
    {_SELECT}
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_GET = text(f"{_SELECT} WHERE id = :id")

_COUNT = text("SELECT reason, count(*) AS dead_letters FROM dead_letter GROUP BY reason ORDER BY reason")

_LETTER_IDS = text("""
    SELECT id FROM dead_letter
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_REASONS = text("""
    SELECT reason, count(*) AS dead_letters FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[]))
    GROUP BY 1 ORDER BY 1
""")

_LAST_LETTER = text("SELECT max(id) FROM dead_letter")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry to be set aside, and why. `user_course_id` only where it waits for that enrollment."""

    entry: Entry
    reason: Reason
    detail: str
    user_course_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A row of `dead_letter`."""

    id: int
    entry: Entry
    reason: str
    detail: str
    user_course_id: int | None
    created_at: datetime


def store_dead_letters(connection: Connection, letters: Iterable[DeadLetter]) -> None:
    """Store the letters; one that is there already gets the new reason and keeps its bytes and age.

    Other bytes under a known entry id (streams moved to another Redis) are another letter.
    """
    rows, bodies = [], bytearray()

    def place(content: bytes) -> tuple[int, int]:
        bodies.extend(content)
        return len(bodies) - len(content) + 1, len(content)

    for letter in letters:
        entry = letter.entry
        body = (None, None) if entry.body is None else place(entry.body)
        fields = [place(each) for each in entry.fields]
        rows.append((entry.stream, entry.id, letter.reason, letter.detail, letter.user_course_id, *body, fields))
        rows[-1] += (_fields_digest(entry.fields),)
    connection.execute(_PUT, {"letters": json.dumps(rows), "bodies": bytes(bodies)})


def read_entries(connection: Connection, ids: Sequence[int]) -> list[Entry]:
    """The entries of these letters in the order of their ids; without those too large for any event.

    They are not locked: the locks of a batch begin with its enrollments, and applying an entry twice changes nothing.
    """
    rows = connection.execute(_READ, {"ids": list(ids), "max_bytes": MAX_BYTES})
    return [Entry(stream, entry_id, body, tuple(fields or ())) for _, stream, entry_id, body, fields in rows]


def delete_dead_letters(connection: Connection, entries: Iterable[Entry]) -> None:
    """Delete the letters of these entries and bytes, where there are any: they were applied."""
    rows = [(entry.stream, entry.id, _digest(entry.body), _fields_digest(entry.fields)) for entry in entries]
    connection.execute(_DELETE, {"entries": json.dumps(rows)})


def discard_dead_letters(connection: Connection, ids: Sequence[int]) -> int:
    """Delete these letters, whatever becomes of their events; how many were there."""
    return connection.execute(_DISCARD, {"ids": list(ids)}).rowcount


def parked_dead_letters(connection: Connection, user_course_ids: Sequence[int], after: int, limit: int) -> list[int]:
    """Ids above `after` of up to `limit` letters that wait for these enrollments, in order."""
    parameters = {"user_course_ids": list(user_course_ids), "after": after, "limit": limit}
    return list(connection.scalars(_PARKED, parameters))


def referring_dead_letters(connection: Connection, limit: int) -> list[int]:
    """Ids of up to `limit` letters that refer to what was not there; at random: each gets its turn."""
    return list(connection.scalars(_REFERRING, {"limit": limit}))


def arrived_enrollments(connection: Connection, after: int, limit: int) -> tuple[int | None, list[int]]:
    """Of the next `limit` enrollments above `after` that letters wait for: the last one, and those that exist."""
    row = connection.execute(_ARRIVED, {"after": after, "limit": limit}).one()
    return row.last_awaited, row.arrived or []


def list_dead_letters(connection: Connection, reason: str | None, after: int, limit: int) -> list[StoredDeadLetter]:
    """Up to `limit` letters with an id above `after`, oldest first, of one reason or of all."""
    return [_stored(row) for row in connection.execute(_LIST, {"reason": reason, "after": after, "limit": limit})]


def get_dead_letter(connection: Connection, letter_id: int) -> StoredDeadLetter | None:
    """One letter, or None."""
    row = connection.execute(_GET, {"id": letter_id}).one_or_none()
    return None if row is None else _stored(row)


def count_dead_letters(connection: Connection) -> dict[str, int]:
    """How many letters there are for each reason."""
    return {row.reason: row.dead_letters for row in connection.execute(_COUNT)}


def _digest(body: bytes | None) -> str:
    """What `dead_letter.body_digest` holds, as hexadecimal digits."""
    return "" if body is None else sha256(body).hexdigest()


def _fields_digest(fields: Sequence[bytes]) -> str:
    """What `dead_letter.fields_digest` holds, as hexadecimal digits."""
    told = b"".join(len(each).to_bytes(8, "big") + each for each in fields)
    return sha256(told).hexdigest() if fields else ""


def _stored(row: Row[tuple[object, ...]]) -> StoredDeadLetter:
    entry = Entry(row.stream, row.entry_id, row.body, tuple(row.fields or ()))
    return StoredDeadLetter(row.id, entry, row.reason, row.detail, row.user_course_id, row.created_at)


def letter_ids(connection: Connection, reason: str | None, after: int, limit: int) -> list[int]:
    """Ids above `after` of up to `limit` dead letters, in order, of one reason or of all."""
    return list(connection.scalars(_LETTER_IDS, {"reason": reason, "after": after, "limit": limit}))


def last_letter_id(connection: Connection) -> int:
    """The id of the newest dead letter; 0 without any."""
    return int(connection.scalar(_LAST_LETTER) or 0)


def count_reasons(connection: Connection, ids: Sequence[int]) -> dict[str, int]:
    """Of these dead letters those that are there, by reason."""
    return {row.reason: row.dead_letters for row in connection.execute(_REASONS, {"ids": list(ids)})}
