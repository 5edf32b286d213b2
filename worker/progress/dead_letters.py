"""Dead letters: entries that could not be applied, with reason and bytes; parked ones wait for another row."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, text

from worker.contract.batch import AwaitedLesson
from worker.contract.entry import Entry, Reason
from worker.contract.parse import MAX_BYTES
from worker.progress.exported_dead_letters import CorrectedDeadLetter

# All bodies are one parameter, split here: as base64 or an array, a very large one would take minutes.
_STORE = text("""
    INSERT INTO dead_letter AS known (stream, entry_id, reason, detail, user_course_id, body, fields, fields_digest,
        lesson_source, lesson_key, lesson_course_id)
    SELECT e->>0, e->>1, e->>2, e->>3, (e->>4)::bigint, substr(CAST(:bodies AS bytea), (e->>5)::int, (e->>6)::int),
           (SELECT array_agg(substr(CAST(:bodies AS bytea), (f->>0)::int, (f->>1)::int) ORDER BY number)
            FROM jsonb_array_elements(e->7) WITH ORDINALITY AS its (f, number)), decode(e->>8, 'hex'),
           e->>9, e->>10, (e->>11)::bigint
    FROM jsonb_array_elements(CAST(:letters AS jsonb)) AS given (e)
    ORDER BY 1, 2
    ON CONFLICT (stream, entry_id, body_digest, fields_digest) DO UPDATE
    SET reason = excluded.reason, detail = excluded.detail, user_course_id = excluded.user_course_id,
        lesson_source = excluded.lesson_source, lesson_key = excluded.lesson_key,
        lesson_course_id = excluded.lesson_course_id
    WHERE (known.reason, known.detail) IS DISTINCT FROM (excluded.reason, excluded.detail)
""")

_READ = text("""
    SELECT id, stream, entry_id, body, fields FROM dead_letter
    WHERE id = ANY(CAST(:ids AS bigint[])) AND coalesce(octet_length(body), 0) <= :max_bytes
    ORDER BY id
""")

_DELETE = text("""
    DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE (stream, entry_id, body_digest, fields_digest) IN (
            SELECT e->>0, e->>1, decode(e->>2, 'hex'), decode(e->>3, 'hex')
            FROM jsonb_array_elements(CAST(:entries AS jsonb)) AS given (e)
        )
        ORDER BY stream, entry_id, body_digest, fields_digest FOR UPDATE
    )
""")

_CORRECT = text("""
    UPDATE dead_letter SET body = :body, fields = :fields, fields_digest = decode(:fields_digest, 'hex')
    WHERE id = :id AND stream = :stream AND entry_id = :entry_id
    RETURNING id
""")

_PARKED = text(f"""
    SELECT id FROM dead_letter
    WHERE reason = '{Reason.UNKNOWN_ENROLLMENT}' AND user_course_id = ANY(CAST(:user_course_ids AS bigint[]))
      AND id > :after
    ORDER BY id LIMIT :limit
""")  # noqa: S608 - constants

_REFERRING = text(f"""
    SELECT id FROM dead_letter WHERE reason = '{Reason.UNKNOWN_REFERENCE}' ORDER BY random() LIMIT :limit
""")  # noqa: S608 - constants

# One index probe per awaited enrollment, however many dead letters wait for it.
_ARRIVED = text(f"""
    WITH RECURSIVE awaited (user_course_id, number) AS (
        (SELECT user_course_id, 1 FROM dead_letter
         WHERE reason = '{Reason.UNKNOWN_ENROLLMENT}' AND user_course_id > :after ORDER BY user_course_id LIMIT 1)
        UNION ALL
        SELECT following.user_course_id, awaited.number + 1
        FROM awaited CROSS JOIN LATERAL (
            SELECT user_course_id FROM dead_letter
            WHERE reason = '{Reason.UNKNOWN_ENROLLMENT}' AND user_course_id > awaited.user_course_id
            ORDER BY user_course_id LIMIT 1
        ) AS following
        WHERE awaited.number < :limit
    )
    SELECT max(awaited.user_course_id) AS last_awaited,
           array_agg(user_course.id) FILTER (WHERE user_course.id IS NOT NULL) AS arrived
    FROM awaited LEFT JOIN user_course ON user_course.id = awaited.user_course_id
""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry and why it cannot be applied; with the enrollment or lesson that it waits for, if any."""

    entry: Entry
    reason: Reason
    detail: str
    user_course_id: int | None = None
    lesson: AwaitedLesson | None = None


def store_dead_letters(connection: Connection, dead_letters: Iterable[DeadLetter]) -> None:
    """Store the dead letters; one that exists gets the new reason and keeps its age.

    Other bytes under a known entry id (streams moved to another Redis) are another dead letter.
    """
    rows, bodies = [], bytearray()

    def add(content: bytes) -> tuple[int, int]:
        bodies.extend(content)
        return len(bodies) - len(content) + 1, len(content)

    for each in dead_letters:
        entry = each.entry
        body = (None, None) if entry.body is None else add(entry.body)
        fields = [add(field) for field in entry.fields]
        rows.append((entry.stream, entry.id, each.reason, each.detail, each.user_course_id, *body, fields))
        rows[-1] += (_fields_digest(entry.fields),)
        if (lesson := each.lesson) is not None:
            rows[-1] += (lesson.source, lesson.key, lesson.course_id or 0)
    connection.execute(_STORE, {"letters": json.dumps(rows), "bodies": bytes(bodies)})


def read_entries(connection: Connection, ids: Sequence[int]) -> list[Entry]:
    """Return the entries of these dead letters by id, without those too large for any event.

    Locks none: a batch locks its enrollments first, and applying an entry twice changes nothing.
    """
    rows = connection.execute(_READ, {"ids": list(ids), "max_bytes": MAX_BYTES})
    return [Entry(stream, entry_id, body, tuple(fields or ())) for _, stream, entry_id, body, fields in rows]


def delete_dead_letters(connection: Connection, entries: Iterable[Entry]) -> None:
    """Delete the dead letters, if any, of these entries and bytes: they were applied."""
    rows = [(entry.stream, entry.id, _digest(entry.body), _fields_digest(entry.fields)) for entry in entries]
    connection.execute(_DELETE, {"entries": json.dumps(rows)})


def correct_dead_letters(connection: Connection, corrected: Iterable[CorrectedDeadLetter]) -> list[int]:
    """Give the dead letters this content; return the ids of those that still exist."""
    found: list[int] = []
    for each in corrected:
        parameters = {"id": each.id, "stream": each.stream, "entry_id": each.entry_id, "body": each.body}
        parameters |= {"fields": list(each.fields) or None, "fields_digest": _fields_digest(each.fields)}
        found += connection.scalars(_CORRECT, parameters)
    return found


def parked_dead_letters(connection: Connection, user_course_ids: Sequence[int], after: int, limit: int) -> list[int]:
    """Return up to `limit` ids above `after` of dead letters that wait for these enrollments, in order."""
    parameters = {"user_course_ids": list(user_course_ids), "after": after, "limit": limit}
    return list(connection.scalars(_PARKED, parameters))


def referring_dead_letters(connection: Connection, limit: int) -> list[int]:
    """Return up to `limit` ids of dead letters that wait for a row of the LMS, at random so that each gets its turn."""
    return list(connection.scalars(_REFERRING, {"limit": limit}))


def arrived_enrollments(connection: Connection, after: int, limit: int) -> tuple[int | None, list[int]]:
    """Look up the next `limit` awaited enrollments above `after`; return the last of them, and those that exist."""
    row = connection.execute(_ARRIVED, {"after": after, "limit": limit}).one()
    return row.last_awaited, row.arrived or []


def _digest(body: bytes | None) -> str:
    """Return `dead_letter.body_digest` in hexadecimal."""
    return "" if body is None else sha256(body).hexdigest()


def _fields_digest(fields: Sequence[bytes]) -> str:
    """Return `dead_letter.fields_digest` in hexadecimal."""
    content = b"".join(len(each).to_bytes(8, "big") + each for each in fields)
    return sha256(content).hexdigest() if fields else ""
