"""Record lesson events: into the ledger once per identity, and what is new on to progress and position.

Whatever changes one of them marks the enrolment as stale in the same statement and under the same lock: `stale_since`
is the oldest change that its summary does not show. What changes its activity alone leaves a mark of its own. The same
rules in plain Python: `worker.domain.progress.fold`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, text

from worker.domain.event import LedgerEvent
from worker.domain.fast_path import DecodedLessonEvent
from worker.domain.progress import LessonKey

_TYPES = {"lesson.viewed": "viewed", "lesson.completed": "completed", "progress.corrected": "corrected"}

# A lesson with a correction is not merged here: a new event only touches its row, which returns it for recomputation.
_RECORD = text("""
    WITH event AS (
        SELECT (e->>0)::bigint AS user_course_id, (e->>1)::uuid AS event_id, (e->>2)::timestamptz AS occurred_at,
               (e->>3)::lesson_event_type AS type, (e->>4)::int AS topic_id, (e->>5)::int AS lesson_id,
               (e->>6)::int AS section_id, (e->>7)::int AS duration_seconds, (e->>8)::progress_status AS status,
               (e->>9)::timestamptz AS last_viewed_at, (e->>10)::timestamptz AS completed_at
        FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    ),
    recorded AS (
        INSERT INTO lesson_event (
            user_course_id, event_id, occurred_at, type, topic_id, lesson_id, section_id, duration_seconds,
            corrected_status, corrected_last_viewed_at, corrected_completed_at
        )
        SELECT * FROM event -- not by a join, which would lose their order: of equal identities the first counts
        WHERE (user_course_id, event_id) NOT IN (SELECT user_course_id, event_id FROM voided_event)
        ON CONFLICT (user_course_id, event_id) DO NOTHING
        RETURNING user_course_id, event_id, occurred_at, type, topic_id, lesson_id, section_id
    ),
    folded AS (
        SELECT user_course_id, topic_id, lesson_id,
               CASE WHEN bool_or(type = 'completed') THEN 'completed' ELSE 'in_progress' END::progress_status AS status,
               max(occurred_at) AS last_viewed_at,
               min(occurred_at) FILTER (WHERE type = 'completed') AS completed_at
        FROM recorded WHERE type <> 'corrected'
        GROUP BY user_course_id, topic_id, lesson_id
    ),
    merged AS (
        INSERT INTO user_course_progress AS known
            (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at)
        SELECT user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at FROM folded
        ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
        SET status = CASE WHEN known.corrected_at IS NULL
                          THEN greatest(known.status, excluded.status) ELSE known.status END,
            last_viewed_at = CASE WHEN known.corrected_at IS NULL
                          THEN greatest(known.last_viewed_at, excluded.last_viewed_at) ELSE known.last_viewed_at END,
            completed_at = CASE WHEN known.corrected_at IS NULL
                          THEN least(known.completed_at, excluded.completed_at) ELSE known.completed_at END,
            updated_at = CASE WHEN known.corrected_at IS NULL THEN now() ELSE known.updated_at END
        WHERE known.corrected_at IS NOT NULL
           OR known.status < excluded.status
           OR known.last_viewed_at IS NULL OR known.last_viewed_at < excluded.last_viewed_at
           OR known.completed_at > excluded.completed_at
           OR (known.completed_at IS NULL AND excluded.completed_at IS NOT NULL)
        RETURNING user_course_id, topic_id, lesson_id, corrected_at
    ),
    latest AS (
        SELECT DISTINCT ON (user_course_id) * FROM recorded WHERE type <> 'corrected'
        ORDER BY user_course_id, occurred_at DESC, event_id DESC
    ),
    moved AS (
        UPDATE user_course AS known
        SET current_topic = latest.topic_id, current_lesson = latest.lesson_id, current_section = latest.section_id,
            position_at = latest.occurred_at, position_event_id = latest.event_id, updated_at = now(),
            stale_since = coalesce(known.stale_since, now())
        FROM latest
        WHERE known.id = latest.user_course_id
          AND (known.position_at IS NULL
               OR (latest.occurred_at, latest.event_id) > (known.position_at, known.position_event_id))
        RETURNING id
    ),
    marked AS ( -- a late event moves no position, but what it changed is not in the summary either
        UPDATE user_course AS known SET stale_since = now()
        WHERE id IN (SELECT user_course_id FROM merged EXCEPT SELECT id FROM moved) AND stale_since IS NULL
    ),
    marked_activity AS ( -- nor does every late event change a summary, which else would pass the mark on; and what
        INSERT INTO activity_change (user_course_id) -- changed the ledger alone leaves a trace for a deletion to meet
        SELECT user_course_id FROM recorded
        EXCEPT SELECT id FROM moved EXCEPT SELECT user_course_id FROM merged
    ),
    corrected AS (
        SELECT user_course_id, topic_id, lesson_id FROM merged WHERE corrected_at IS NOT NULL
        UNION
        SELECT user_course_id, topic_id, lesson_id FROM recorded WHERE type = 'corrected'
    )
    SELECT (SELECT count(*) FROM recorded) AS recorded,
           (SELECT jsonb_agg(jsonb_build_array(user_course_id, topic_id, lesson_id)) FROM corrected) AS corrected
""")

_RECOMPUTE = text("""
    WITH lesson AS (
        SELECT (l->>0)::bigint AS user_course_id, (l->>1)::int AS topic_id, (l->>2)::int AS lesson_id
        FROM jsonb_array_elements(CAST(:lessons AS jsonb)) AS given (l)
    ),
    event AS MATERIALIZED ( -- each enrolment's ledger is read once, however many of its lessons are recomputed
        SELECT * FROM lesson_event WHERE user_course_id IN (SELECT user_course_id FROM lesson)
    ),
    ruling AS (
        SELECT DISTINCT ON (user_course_id, topic_id, lesson_id)
               user_course_id, topic_id, lesson_id, occurred_at AS corrected_at, corrected_status AS status,
               corrected_last_viewed_at AS last_viewed_at, corrected_completed_at AS completed_at
        FROM event JOIN lesson USING (user_course_id, topic_id, lesson_id)
        WHERE type = 'corrected'
        ORDER BY user_course_id, topic_id, lesson_id, occurred_at DESC, event_id DESC
    ),
    later AS (
        SELECT user_course_id, topic_id, lesson_id,
               max(CASE event.type WHEN 'completed' THEN 'completed' ELSE 'in_progress' END::progress_status) AS status,
               max(event.occurred_at) AS last_viewed_at,
               min(event.occurred_at) FILTER (WHERE event.type = 'completed') AS completed_at
        FROM event JOIN ruling USING (user_course_id, topic_id, lesson_id)
        WHERE event.type <> 'corrected' AND event.occurred_at > ruling.corrected_at
        GROUP BY user_course_id, topic_id, lesson_id
    ),
    merged AS (
        SELECT user_course_id, topic_id, lesson_id, ruling.corrected_at,
               greatest(ruling.status, later.status) AS status,
               greatest(ruling.last_viewed_at, later.last_viewed_at) AS last_viewed_at,
               least(ruling.completed_at, later.completed_at) AS completed_at
        FROM ruling LEFT JOIN later USING (user_course_id, topic_id, lesson_id)
    ),
    changed AS (
        INSERT INTO user_course_progress AS known
            (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, corrected_at)
        SELECT user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, corrected_at FROM merged
        ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
        SET status = excluded.status, last_viewed_at = excluded.last_viewed_at, completed_at = excluded.completed_at,
            corrected_at = excluded.corrected_at, updated_at = now()
        WHERE (known.status, known.last_viewed_at, known.completed_at, known.corrected_at)
            IS DISTINCT FROM (excluded.status, excluded.last_viewed_at, excluded.completed_at, excluded.corrected_at)
        RETURNING user_course_id
    )
    UPDATE user_course SET stale_since = now()
    WHERE id IN (SELECT user_course_id FROM changed) AND stale_since IS NULL
""")


_HELD = text("""
    WITH lesson AS MATERIALIZED (
        SELECT known.id, user_course_id
        FROM jsonb_array_elements(CAST(:lessons AS jsonb)) AS given (l)
        JOIN user_course_progress AS known ON (known.user_course_id, known.topic_id, known.lesson_id)
                                            = ((l->>0)::bigint, (l->>1)::int, (l->>2)::int)
    ),
    free AS MATERIALIZED (
        SELECT id FROM user_course_progress WHERE id IN (SELECT id FROM lesson) FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT DISTINCT user_course_id FROM lesson WHERE id NOT IN (SELECT id FROM free)
""")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one statement recorded: how many events were new, and the lessons that a correction governs."""

    count: int
    corrected: list[LessonKey]


def held_enrollments(connection: Connection, events: Sequence[LedgerEvent | DecodedLessonEvent]) -> set[int]:
    """Lock the progress rows that these events would change; enrollments of which another session holds some."""
    lessons = {(each.data.user_course_id, each.data.topic_id, each.data.lesson_id) for each in events}
    return set(connection.scalars(_HELD, {"lessons": json.dumps(list(lessons))}))


def record_events(connection: Connection, events: Sequence[LedgerEvent | DecodedLessonEvent]) -> Recorded:
    """Record the events of existing, locked enrolments; an event that is already there writes nothing.

    One statement, whatever the number. The lessons it returns must go through `recompute_corrected` before the commit.
    """
    row = connection.execute(_RECORD, {"events": rows(events)}).one()
    return Recorded(row.recorded, [(a, b, c) for a, b, c in row.corrected or ()])


def recompute_corrected(connection: Connection, lessons: Sequence[LessonKey]) -> None:
    """Set these lessons to their ruling correction, the later events of the ledger merged onto it."""
    connection.execute(_RECOMPUTE, {"lessons": json.dumps(lessons)})


def rows(events: Sequence[LedgerEvent | DecodedLessonEvent]) -> str:
    """The parameter of `_RECORD`."""
    return msgspec.json.encode([_row(event) for event in events]).decode()


def _row(event: LedgerEvent | DecodedLessonEvent) -> tuple[object, ...]:
    """In the order of the columns in `_RECORD`."""
    data = event.data
    key = (data.user_course_id, event.event_id, event.time, _TYPES[event.type], data.topic_id, data.lesson_id)
    if event.type == "progress.corrected":
        return (*key, None, None, event.data.status, event.data.last_viewed_at, event.data.completed_at)
    return (*key, event.data.section_id, event.data.duration_seconds, None, None, None)
