"""What is stored for some enrolments, read to be held against their ledger, and the writes that repair it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.domain.event import (
    Correction,
    LedgerEvent,
    LessonActivity,
    LessonCompleted,
    LessonViewed,
    ProgressCorrected,
)
from worker.domain.outline import Lesson
from worker.domain.progress import LessonKey, Position, Progress
from worker.domain.status import ProgressStatus
from worker.domain.summary import Place

BELOW_ALL_IDS = -(2**63)

_ALLOW_PAUSES = text("SET LOCAL idle_in_transaction_session_timeout = '10min'")

_COUNT = text("SELECT count(*) FROM user_course WHERE CAST(:course_id AS bigint) IS NULL OR course_id = :course_id")

_COURSES = text("""
    SELECT course_id FROM user_course UNION SELECT id FROM course UNION SELECT course_id FROM course_statistics
    ORDER BY 1 NULLS FIRST
""")

_PAGE = text("""
    SELECT id FROM user_course
    WHERE id > :after AND (course_id = :course_id OR (CAST(:course_id AS bigint) IS NULL AND course_id IS NULL))
    ORDER BY id LIMIT :limit
""")

_SAMPLE = text("SELECT id FROM (SELECT id FROM user_course ORDER BY random() LIMIT :size) AS chosen ORDER BY id")

_ENROLLMENTS = text("""
    SELECT id, course_id, current_topic, current_lesson, current_section, position_at, position_event_id::text,
           history_from, enrolled_at IS NULL AS is_of_lms
    FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")

_PROGRESS = text("""
    SELECT user_course_id, topic_id, lesson_id, status::text, last_viewed_at, completed_at, corrected_at
    FROM user_course_progress WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
""")

_EVENTS = text("""
    SELECT user_course_id, topic_id, lesson_id, event_id::text, occurred_at, type::text, section_id, duration_seconds,
           corrected_status::text, corrected_last_viewed_at, corrected_completed_at
    FROM lesson_event WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
    ORDER BY user_course_id
""")

_SIZES = text("""
    SELECT enrollment.id, events + rows AS size
    FROM unnest(CAST(:ids AS bigint[])) AS enrollment (id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS events
        FROM (SELECT FROM lesson_event WHERE user_course_id = enrollment.id LIMIT :most) AS its
    ) AS recorded
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows
        FROM (SELECT FROM user_course_progress WHERE user_course_id = enrollment.id LIMIT :most) AS its
    ) AS stored
    ORDER BY enrollment.id
""")

# Rows of an older outline are marked on their course.
_UNMARKED = text("""
    SELECT enrollment.id
    FROM user_course AS enrollment
    LEFT JOIN user_course_summary AS summary ON summary.user_course_id = enrollment.id
    LEFT JOIN course ON course.id = enrollment.course_id
    WHERE enrollment.id = ANY(CAST(:ids AS bigint[])) AND enrollment.stale_since IS NULL
      AND NOT EXISTS (SELECT FROM enrollment_change WHERE user_course_id = enrollment.id)
      AND (summary.user_course_id IS NULL
           OR summary.course_id IS DISTINCT FROM enrollment.course_id
           OR (summary.outline_version <> coalesce(course.version, 0) AND course.stale_since IS NULL))
""")

_IS_CHANGED = text("""
    SELECT EXISTS (SELECT FROM course_change WHERE course_id = :course_id)
        OR EXISTS (SELECT FROM user_course WHERE course_id = :course_id AND stale_since IS NOT NULL)
        OR EXISTS (
            SELECT FROM enrollment_change JOIN user_course ON user_course.id = user_course_id
            WHERE course_id = :course_id
        )
""")

_WRITE_PROGRESS = text("""
    INSERT INTO user_course_progress AS known
        (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, corrected_at)
    SELECT (e->>0)::bigint, (e->>1)::int, (e->>2)::int, (e->>3)::progress_status, (e->>4)::timestamptz,
           (e->>5)::timestamptz, (e->>6)::timestamptz
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
    SET status = excluded.status, last_viewed_at = excluded.last_viewed_at, completed_at = excluded.completed_at,
        corrected_at = excluded.corrected_at, updated_at = now()
""")

_WRITE_POSITIONS = text("""
    UPDATE user_course
    SET current_topic = (e->>1)::int, current_lesson = (e->>2)::int, current_section = (e->>3)::int,
        position_at = (e->>4)::timestamptz, position_event_id = (e->>5)::uuid, updated_at = now()
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    WHERE id = (e->>0)::bigint
""")


@dataclass(frozen=True, slots=True)
class StoredEnrollment:
    """An enrolment's row and its progress rows."""

    id: int
    course_id: int | None
    columns: dict[str, object]
    """Its position as it stands, by column, also where an LMS set it."""
    position: Position | None
    """The same where an event made it."""
    place: Place
    """The same as a summary shows it."""
    history_from: datetime | None
    is_of_lms: bool
    """No event made it."""
    rows: dict[Lesson, Progress]


def allow_pauses(connection: Connection) -> None:
    """Let the present transaction wait while the rules go over many events in plain Python. It must hold no locks."""
    connection.execute(_ALLOW_PAUSES)


def count_enrollments(connection: Connection, course_id: int | None) -> int:
    """How many enrolments there are, of one course or in all."""
    return int(connection.scalar(_COUNT, {"course_id": course_id}) or 0)


def course_ids(connection: Connection) -> list[int | None]:
    """Every course that anything is stored for; None for enrolments without one."""
    return list(connection.scalars(_COURSES))


def enrollment_page(connection: Connection, course_id: int | None, after: int, limit: int) -> list[int]:
    """Up to `limit` enrolments of a course with higher ids than `after`, in order."""
    return list(connection.scalars(_PAGE, {"course_id": course_id, "after": after, "limit": limit}))


def sample_enrollments(connection: Connection, size: int) -> list[int]:
    """So many enrolments at random, in order."""
    return list(connection.scalars(_SAMPLE, {"size": size}))


def read_sizes(connection: Connection, ids: Sequence[int], most: int) -> dict[int, int]:
    """How many events and rows each of these enrollments has, by id; of each kind no more than `most` are counted."""
    return {row.id: row.size for row in connection.execute(_SIZES, {"ids": list(ids), "most": most})}


def read_enrollments(connection: Connection, ids: Sequence[int]) -> list[StoredEnrollment]:
    """These enrolments as they are stored, by id. Two queries."""
    rows: dict[int, dict[Lesson, Progress]] = {}
    for key, topic, lesson, status, *times in connection.execute(_PROGRESS, {"ids": list(ids)}):
        rows.setdefault(key, {})[topic, lesson] = Progress(ProgressStatus(status), *times)
    return [
        StoredEnrollment(
            id=row.id,
            course_id=row.course_id,
            columns={
                "current_topic": row.current_topic,
                "current_lesson": row.current_lesson,
                "current_section": row.current_section,
                "position_at": row.position_at,
                "position_event_id": row.position_event_id,
            },
            position=None
            if row.position_at is None
            else Position(
                row.current_topic, row.current_lesson, row.current_section, row.position_at, row.position_event_id or ""
            ),
            place=Place(row.current_topic, row.current_lesson, row.current_section, row.position_at),
            history_from=row.history_from,
            is_of_lms=row.is_of_lms,
            rows=rows.get(row.id, {}),
        )
        for row in connection.execute(_ENROLLMENTS, {"ids": list(ids)})
    ]


def read_ledger(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, list[LedgerEvent]]]:
    """Each of these enrolments that has events, with all of them in no order; streamed, one enrolment at a time.

    Events were checked when they were recorded and are not checked again; what the rules do not ask for is left out.
    """
    events = connection.execute(_EVENTS, {"ids": list(ids)}, execution_options={"yield_per": 5_000})
    for user_course_id, its in groupby(events, key=lambda row: int(row.user_course_id)):
        yield user_course_id, [ledger_event(row) for row in its]


def unmarked(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Those of these enrolments whose summary is missing or of another outline, with no mark to have it refreshed."""
    return list(connection.scalars(_UNMARKED, {"ids": list(ids)}))


def has_changed(connection: Connection, course_id: int) -> bool:
    """Something happened in the course that its statistics do not show yet."""
    return bool(connection.scalar(_IS_CHANGED, {"course_id": course_id}))


def write_progress(connection: Connection, rows: Mapping[LessonKey, Progress]) -> None:
    """Set these rows, inserting what is missing. Their enrolments must be locked."""
    connection.execute(
        _WRITE_PROGRESS,
        {
            "rows": json.dumps(
                [
                    (*key, row.status, _iso(row.last_viewed_at), _iso(row.completed_at), _iso(row.corrected_at))
                    for key, row in rows.items()
                ]
            )
        },
    )


def write_positions(connection: Connection, positions: Mapping[int, Position | None]) -> None:
    """Set these enrolments' positions. They must be locked."""
    connection.execute(_WRITE_POSITIONS, {"rows": json.dumps([_place(*each) for each in positions.items()])})


def _place(key: int, where: Position | None) -> tuple[object, ...]:
    if where is None:
        return (key,)
    return (key, where.topic_id, where.lesson_id, where.section_id, _iso(where.occurred_at), where.event_id or None)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def ledger_event(row: Row[Any]) -> LedgerEvent:
    """The event of a row with the ledger's columns, ids and enums as text. Not checked again."""
    envelope = {"specversion": "1.0", "id": row.event_id, "source": "ledger", "time": row.occurred_at}
    lesson = {"user_course_id": row.user_course_id, "topic_id": row.topic_id, "lesson_id": row.lesson_id}
    if row.type == "corrected":
        correction = Correction.model_construct(
            **lesson,
            status=ProgressStatus(row.corrected_status),
            last_viewed_at=row.corrected_last_viewed_at,
            completed_at=row.corrected_completed_at,
        )
        return ProgressCorrected.model_construct(**envelope, data=correction)
    activity = LessonActivity.model_construct(
        **lesson, section_id=row.section_id, duration_seconds=row.duration_seconds
    )
    kind = LessonCompleted if row.type == "completed" else LessonViewed
    return kind.model_construct(**envelope, data=activity)
