"""Record lesson events: into the ledger once per identity, and new ones into progress and position.

Reference model: reference.py.

Every change marks the enrollment as stale in the same statement and under the same lock: `stale_since` is the time of
the oldest change that its summary does not show. A change of its activity alone is marked in `activity_change`.

`updated_at` is the statement's time, not the transaction's: that may have begun before the wait for the enrollment's
lock, and would set the column back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, text

from worker.contract.event import LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent
from worker.contract.identity import sequence_key
from worker.contract.lesson import LessonKey

_TYPES = {"lesson.viewed": "viewed", "lesson.completed": "completed", "progress.corrected": "corrected"}

_SECTION_IS_LATER = """
    (excluded.section_at, excluded.section_sequence, excluded.section_type = 'viewed', excluded.section_event_id)
        > (known.section_at, known.section_sequence, known.section_type = 'viewed', known.section_event_id)
"""

# `section_id + 0 > 0` means: if there is one. With the column alone the planner would trust statistics from before the
# LMS sent sections, and join thousands of rows in nested loops.
# A lesson with a correction is not merged here: a new event only touches its row, which returns it for recomputation.
_RECORD = text(f"""
    WITH event AS (
        SELECT (e->>0)::bigint AS user_course_id, (e->>1)::uuid AS event_id, (e->>2)::timestamptz AS occurred_at,
               (e->>3)::lesson_event_type AS type, (e->>4)::int AS topic_id, (e->>5)::int AS lesson_id,
               (e->>6)::int AS section_id, (e->>7)::int AS duration_seconds, coalesce(e->>8, '') AS sequence,
               (e->>9)::progress_status AS status, (e->>10)::timestamptz AS last_viewed_at,
               (e->>11)::timestamptz AS completed_at
        FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    ),
    recorded AS (
        INSERT INTO lesson_event (
            user_course_id, event_id, occurred_at, type, topic_id, lesson_id, section_id, duration_seconds, sequence,
            corrected_status, corrected_last_viewed_at, corrected_completed_at
        )
        SELECT * FROM event -- not by a join, which would lose the order: the first event of an identity wins
        WHERE NOT EXISTS (SELECT FROM voided_event) -- nearly always, which saves parsing every key again
           OR (user_course_id, event_id) NOT IN (SELECT user_course_id, event_id FROM voided_event)
        ON CONFLICT (user_course_id, event_id) DO NOTHING
        RETURNING user_course_id, event_id, occurred_at, type, topic_id, lesson_id, section_id, sequence
    ),
    folded AS (
        SELECT user_course_id, topic_id, lesson_id,
               CASE WHEN bool_or(type = 'completed') THEN 'completed' ELSE 'in_progress' END::progress_status AS status,
               max(occurred_at) AS last_viewed_at,
               min(occurred_at) FILTER (WHERE type = 'completed') AS completed_at
        FROM recorded WHERE type <> 'corrected'
        GROUP BY user_course_id, topic_id, lesson_id
    ),
    sections AS (
        SELECT DISTINCT ON (user_course_id, topic_id, lesson_id)
               user_course_id, topic_id, lesson_id, section_id, occurred_at AS section_at,
               sequence AS section_sequence, type AS section_type, event_id AS section_event_id
        FROM recorded WHERE section_id + 0 > 0
        ORDER BY user_course_id, topic_id, lesson_id, occurred_at DESC, sequence DESC, type, event_id DESC
    ),
    merged AS (
        INSERT INTO user_course_progress AS known (
            user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at,
            section_id, section_at, section_sequence, section_type, section_event_id
        )
        SELECT user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at,
               section_id, section_at, section_sequence, section_type, section_event_id
        FROM folded LEFT JOIN sections USING (user_course_id, topic_id, lesson_id)
        ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
        SET status = CASE WHEN known.corrected_at IS NULL
                          THEN greatest(known.status, excluded.status) ELSE known.status END,
            last_viewed_at = CASE WHEN known.corrected_at IS NULL
                          THEN greatest(known.last_viewed_at, excluded.last_viewed_at) ELSE known.last_viewed_at END,
            completed_at = CASE WHEN known.corrected_at IS NULL
                          THEN least(known.completed_at, excluded.completed_at) ELSE known.completed_at END,
            section_id = CASE WHEN known.section_at IS NULL OR {_SECTION_IS_LATER}
                          THEN excluded.section_id ELSE known.section_id END,
            section_at = CASE WHEN known.section_at IS NULL OR {_SECTION_IS_LATER}
                          THEN excluded.section_at ELSE known.section_at END,
            section_sequence = CASE WHEN known.section_at IS NULL OR {_SECTION_IS_LATER}
                          THEN excluded.section_sequence ELSE known.section_sequence END,
            section_type = CASE WHEN known.section_at IS NULL OR {_SECTION_IS_LATER}
                          THEN excluded.section_type ELSE known.section_type END,
            section_event_id = CASE WHEN known.section_at IS NULL OR {_SECTION_IS_LATER}
                          THEN excluded.section_event_id ELSE known.section_event_id END,
            updated_at = CASE WHEN known.corrected_at IS NULL
                                OR (known.section_at IS NULL AND excluded.section_at IS NOT NULL)
                                OR {_SECTION_IS_LATER}
                          THEN statement_timestamp() ELSE known.updated_at END
        WHERE known.corrected_at IS NOT NULL
           OR known.status < excluded.status
           OR known.last_viewed_at IS NULL OR known.last_viewed_at < excluded.last_viewed_at
           OR known.completed_at > excluded.completed_at
           OR (known.completed_at IS NULL AND excluded.completed_at IS NOT NULL)
           OR (known.section_at IS NULL AND excluded.section_at IS NOT NULL)
           OR {_SECTION_IS_LATER}
        RETURNING user_course_id, topic_id, lesson_id, corrected_at, section_id
    ),
    latest AS (
        SELECT DISTINCT ON (user_course_id) * FROM recorded WHERE type <> 'corrected'
        ORDER BY user_course_id, occurred_at DESC, sequence DESC, type, event_id DESC
    ),
    tied AS (
        SELECT DISTINCT user_course_id
        FROM recorded JOIN latest USING (user_course_id, occurred_at)
        WHERE (recorded.topic_id, recorded.lesson_id) <> (latest.topic_id, latest.lesson_id)
          AND (recorded.sequence, recorded.type) = (latest.sequence, latest.type)
    ),
    moved AS (
        UPDATE user_course AS known
        SET current_topic = latest.topic_id, current_lesson = latest.lesson_id,
            current_section = CASE
                WHEN merged.lesson_id IS NOT NULL THEN merged.section_id
                WHEN latest.occurred_at = known.position_at THEN ( -- otherwise its row has changed
                    SELECT section_id FROM user_course_progress AS unchanged
                    WHERE (unchanged.user_course_id, unchanged.topic_id, unchanged.lesson_id)
                        = (latest.user_course_id, latest.topic_id, latest.lesson_id)
                ) END,
            position_at = latest.occurred_at, position_sequence = latest.sequence, position_type = latest.type,
            position_event_id = latest.event_id,
            position_tied = tied.user_course_id IS NOT NULL OR (
                (known.position_at, known.position_sequence, known.position_type)
                    = (latest.occurred_at, latest.sequence, latest.type)
                AND (known.position_tied
                     OR (known.current_topic, known.current_lesson) <> (latest.topic_id, latest.lesson_id))
            ) IS TRUE,
            updated_at = statement_timestamp(), stale_since = coalesce(known.stale_since, now())
        FROM latest
        LEFT JOIN merged ON (merged.user_course_id, merged.topic_id, merged.lesson_id)
                          = (latest.user_course_id, latest.topic_id, latest.lesson_id) AND merged.section_id + 0 > 0
        LEFT JOIN tied ON tied.user_course_id = latest.user_course_id
        WHERE known.id = latest.user_course_id
          AND (known.position_at IS NULL
               OR (latest.occurred_at, latest.sequence, latest.type = 'viewed', latest.event_id)
                > (known.position_at, coalesce(known.position_sequence, ''),
                   coalesce(known.position_type, 'viewed') = 'viewed', known.position_event_id)
               OR ((latest.occurred_at, latest.sequence, latest.type)
                 = (known.position_at, known.position_sequence, known.position_type)
                   AND (latest.topic_id, latest.lesson_id) <> (known.current_topic, known.current_lesson)))
        RETURNING id, position_tied
    ),
    late AS MATERIALIZED ( -- few, mostly none, and computed once
        SELECT user_course_id, topic_id, lesson_id, section_id FROM merged
        WHERE section_id + 0 > 0 AND user_course_id NOT IN (SELECT id FROM moved)
    ),
    moved_section AS ( -- of the current lesson, by an event that does not move the position
        UPDATE user_course AS known
        SET current_section = late.section_id, updated_at = statement_timestamp(),
            stale_since = coalesce(known.stale_since, now())
        FROM late
        WHERE known.id = late.user_course_id
          AND (known.current_topic, known.current_lesson) = (late.topic_id, late.lesson_id)
          AND known.position_at IS NOT NULL AND known.current_section IS DISTINCT FROM late.section_id
        RETURNING id
    ),
    marked AS ( -- a late event does not move the position, but the summary does not show its change
        UPDATE user_course AS known SET stale_since = now()
        WHERE id IN (SELECT user_course_id FROM merged EXCEPT SELECT id FROM moved EXCEPT SELECT id FROM moved_section)
          AND stale_since IS NULL
    ),
    marked_activity AS ( -- for events that make no summary stale, whose refresh would pass the mark on; a deletion
        INSERT INTO activity_change (user_course_id) -- of the enrollment conflicts with this row
        SELECT user_course_id FROM recorded
        EXCEPT SELECT id FROM moved EXCEPT SELECT user_course_id FROM merged
    ),
    corrected AS (
        SELECT user_course_id, topic_id, lesson_id FROM merged WHERE corrected_at IS NOT NULL
        UNION
        SELECT user_course_id, topic_id, lesson_id FROM recorded WHERE type = 'corrected'
    )
    SELECT (SELECT count(*) FROM recorded) AS recorded,
           (SELECT jsonb_agg(jsonb_build_array(user_course_id, topic_id, lesson_id)) FROM corrected) AS corrected,
           (SELECT array_agg(id) FROM moved WHERE position_tied) AS tied
""")  # noqa: S608 - a constant

_RECOMPUTE = text("""
    WITH lesson AS (
        SELECT (l->>0)::bigint AS user_course_id, (l->>1)::int AS topic_id, (l->>2)::int AS lesson_id
        FROM jsonb_array_elements(CAST(:lessons AS jsonb)) AS given (l)
    ),
    event AS MATERIALIZED ( -- reads each enrollment's ledger once, however many of its lessons are recomputed
        SELECT * FROM lesson_event WHERE user_course_id IN (SELECT user_course_id FROM lesson)
    ),
    ruling AS (
        SELECT DISTINCT ON (user_course_id, topic_id, lesson_id)
               user_course_id, topic_id, lesson_id, occurred_at AS corrected_at, sequence, corrected_status AS status,
               corrected_last_viewed_at AS last_viewed_at, corrected_completed_at AS completed_at
        FROM event JOIN lesson USING (user_course_id, topic_id, lesson_id)
        WHERE type = 'corrected'
        ORDER BY user_course_id, topic_id, lesson_id, occurred_at DESC, sequence DESC, event_id DESC
    ),
    later AS (
        SELECT user_course_id, topic_id, lesson_id,
               max(CASE event.type WHEN 'completed' THEN 'completed' ELSE 'in_progress' END::progress_status) AS status,
               max(event.occurred_at) AS last_viewed_at,
               min(event.occurred_at) FILTER (WHERE event.type = 'completed') AS completed_at
        FROM event JOIN ruling USING (user_course_id, topic_id, lesson_id)
        WHERE event.type <> 'corrected' AND (
            event.occurred_at > ruling.corrected_at
            OR (event.occurred_at = ruling.corrected_at AND ruling.sequence <> '' AND event.sequence > ruling.sequence)
        )
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
            corrected_at = excluded.corrected_at, updated_at = statement_timestamp()
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
class LedgerResult:
    """The result of `record_events`."""

    count: int
    """New events."""
    corrected: list[LessonKey]
    """Changed lessons that have a correction."""
    tied: list[int]
    """Enrollments with several latest lessons."""


def held_enrollments(connection: Connection, events: Sequence[LedgerEvent | DecodedLessonEvent]) -> set[int]:
    """Lock the progress rows that these events would change; return enrollments with rows that others hold."""
    lessons = {(each.data.user_course_id, each.data.topic_id, each.data.lesson_id) for each in events}
    return set(connection.scalars(_HELD, {"lessons": json.dumps(list(lessons))}))


def record_events(connection: Connection, events: Sequence[LedgerEvent | DecodedLessonEvent]) -> LedgerResult:
    """Record the events of existing, locked enrollments; a repeated event writes nothing.

    One statement for any number of events. Before the commit, pass the lessons it returns to `recompute_corrected` and
    the enrollments to `ties.settle_ties`.
    """
    row = connection.execute(_RECORD, {"events": rows(events)}).one()
    return LedgerResult(row.recorded, [(a, b, c) for a, b, c in row.corrected or ()], row.tied or [])


def recompute_corrected(connection: Connection, lessons: Sequence[LessonKey]) -> None:
    """Recompute these lessons: the ruling correction, with the later events of the ledger merged onto it."""
    connection.execute(_RECOMPUTE, {"lessons": json.dumps(lessons)})


def rows(events: Sequence[LedgerEvent | DecodedLessonEvent]) -> str:
    """Return the parameter of `_RECORD`."""
    return msgspec.json.encode([_row(event) for event in events]).decode()


def _row(event: LedgerEvent | DecodedLessonEvent) -> tuple[object, ...]:
    """Return the event in the order of the columns in `_RECORD`."""
    data = event.data
    key = (data.user_course_id, event.event_id, event.time, _TYPES[event.type], data.topic_id, data.lesson_id)
    sequence = sequence_key(event.sequence)
    if event.type == "progress.corrected":
        return (*key, None, None, sequence, event.data.status, event.data.last_viewed_at, event.data.completed_at)
    if event.untimed:
        return (*key, event.data.section_id, event.data.duration_seconds, sequence, None, None, None, True)
    if sequence:
        return (*key, event.data.section_id, event.data.duration_seconds, sequence)
    return (*key, event.data.section_id, event.data.duration_seconds)
