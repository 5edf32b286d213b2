"""What is stored for some enrollments, read to be held against their ledger, and the writes that repair it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.audit.rules import position_columns
from worker.contract.event import (
    Correction,
    LedgerEvent,
    LessonActivity,
    LessonCompleted,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.lesson import Lesson, LessonKey
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.reference import Position, Progress, Section

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
    SELECT id, course_id, current_topic, current_lesson, current_section, position_at, position_sequence,
           position_type::text, position_event_id::text, position_tied, history_from, enrolled_at IS NULL AS is_of_lms
    FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")

_PROGRESS = text("""
    SELECT user_course_id, topic_id, lesson_id, status::text, last_viewed_at, completed_at, corrected_at,
           section_id, section_at, section_sequence, section_type::text, section_event_id::text
    FROM user_course_progress WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
""")

_EVENTS = text("""
    SELECT user_course_id, topic_id, lesson_id, event_id::text, occurred_at, type::text, section_id, duration_seconds,
           corrected_status::text, corrected_last_viewed_at, corrected_completed_at, sequence
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
    INSERT INTO user_course_progress AS known (
        user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, corrected_at,
        section_id, section_at, section_sequence, section_type, section_event_id
    )
    SELECT (e->>0)::bigint, (e->>1)::int, (e->>2)::int, (e->>3)::progress_status, (e->>4)::timestamptz,
           (e->>5)::timestamptz, (e->>6)::timestamptz,
           (e->>7)::int, (e->>8)::timestamptz, e->>9, (e->>10)::lesson_event_type, (e->>11)::uuid
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
    SET status = excluded.status, last_viewed_at = excluded.last_viewed_at, completed_at = excluded.completed_at,
        corrected_at = excluded.corrected_at, section_id = excluded.section_id, section_at = excluded.section_at,
        section_sequence = excluded.section_sequence, section_type = excluded.section_type,
        section_event_id = excluded.section_event_id, updated_at = now()
""")

_WRITE_POSITIONS = text("""
    UPDATE user_course
    SET current_topic = (e->>1)::int, current_lesson = (e->>2)::int, current_section = (e->>3)::int,
        position_at = (e->>4)::timestamptz, position_sequence = e->>5, position_type = (e->>6)::lesson_event_type,
        position_event_id = (e->>7)::uuid, position_tied = (e->>8)::boolean, updated_at = now()
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    WHERE id = (e->>0)::bigint
""")


@dataclass(frozen=True, slots=True)
class StoredEnrollment:
    """An enrollment's row and its progress rows."""

    id: int
    course_id: int | None
    columns: dict[str, object]
    """Its position as it stands, by column, also where an LMS set it."""
    position: Position | None
    """The same where an event made it."""
    place: CurrentLesson
    """The same as a summary shows it."""
    history_from: datetime | None
    is_of_lms: bool
    """No event made it."""
    rows: dict[Lesson, Progress]


def allow_pauses(connection: Connection) -> None:
    """Let the present transaction wait while the rules go over many events in plain Python. It must hold no locks."""
    connection.execute(_ALLOW_PAUSES)


def count_enrollments(connection: Connection, course_id: int | None) -> int:
    """How many enrollments there are, of one course or in all."""
    return int(connection.scalar(_COUNT, {"course_id": course_id}) or 0)


def course_ids(connection: Connection) -> list[int | None]:
    """Every course that anything is stored for; None for enrollments without one."""
    return list(connection.scalars(_COURSES))


def enrollment_page(connection: Connection, course_id: int | None, after: int, limit: int) -> list[int]:
    """Up to `limit` enrollments of a course with higher ids than `after`, in order."""
    return list(connection.scalars(_PAGE, {"course_id": course_id, "after": after, "limit": limit}))


def sample_enrollments(connection: Connection, size: int) -> list[int]:
    """So many enrollments at random, in order."""
    return list(connection.scalars(_SAMPLE, {"size": size}))


def read_sizes(connection: Connection, ids: Sequence[int], most: int) -> dict[int, int]:
    """How many events and rows each of these enrollments has, by id; of each kind no more than `most` are counted."""
    return {row.id: row.size for row in connection.execute(_SIZES, {"ids": list(ids), "most": most})}


def read_enrollments(connection: Connection, ids: Sequence[int]) -> list[StoredEnrollment]:
    """These enrollments as they are stored, by id. Two queries."""
    rows: dict[int, dict[Lesson, Progress]] = {}
    for row in connection.execute(_PROGRESS, {"ids": list(ids)}):
        times = (row.last_viewed_at, row.completed_at, row.corrected_at)
        progress = Progress(ProgressStatus(row.status), *times, section_of(row))
        rows.setdefault(row.user_course_id, {})[row.topic_id, row.lesson_id] = progress
    return [
        StoredEnrollment(
            id=row.id,
            course_id=row.course_id,
            columns={name: getattr(row, name) for name in position_columns(None)},
            position=_position(row),
            place=CurrentLesson(row.current_topic, row.current_lesson, row.current_section, row.position_at),
            history_from=row.history_from,
            is_of_lms=row.is_of_lms,
            rows=rows.get(row.id, {}),
        )
        for row in connection.execute(_ENROLLMENTS, {"ids": list(ids)})
    ]


def read_ledger(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, list[LedgerEvent]]]:
    """Each of these enrollments that has events, with all of them in no order; streamed, one enrollment at a time.

    Events were checked when they were recorded and are not checked again; what the rules do not ask for is left out.
    """
    events = connection.execute(_EVENTS, {"ids": list(ids)}, execution_options={"yield_per": 5_000})
    for user_course_id, its in groupby(events, key=lambda row: int(row.user_course_id)):
        yield user_course_id, [ledger_event(row) for row in its]


def unmarked(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Those of these enrollments whose summary is missing or of another outline, with no mark to have it refreshed."""
    return list(connection.scalars(_UNMARKED, {"ids": list(ids)}))


def has_changed(connection: Connection, course_id: int) -> bool:
    """Something happened in the course that its statistics do not show yet."""
    return bool(connection.scalar(_IS_CHANGED, {"course_id": course_id}))


def write_progress(connection: Connection, rows: Mapping[LessonKey, Progress]) -> None:
    """Set these rows, inserting what is missing. Their enrollments must be locked."""
    connection.execute(
        _WRITE_PROGRESS,
        {
            "rows": json.dumps(
                [
                    (
                        *(*key, row.status, _iso(row.last_viewed_at), _iso(row.completed_at), _iso(row.corrected_at)),
                        *section_columns(row.section),
                    )
                    for key, row in rows.items()
                ]
            )
        },
    )


def write_positions(connection: Connection, positions: Mapping[int, Position | None]) -> None:
    """Set these enrollments' positions. They must be locked."""
    connection.execute(_WRITE_POSITIONS, {"rows": json.dumps([_place(*each) for each in positions.items()])})


def _place(key: int, where: Position | None) -> tuple[object, ...]:
    columns = position_columns(where)
    columns["position_at"] = _iso(where.occurred_at) if where else None
    return (key, *columns.values())


def _position(row: Row[Any]) -> Position | None:
    if row.position_at is None:
        return None
    # What was recorded before there were these columns has neither a sequence nor a type.
    order = (
        row.position_at,
        row.position_sequence or "",
        (row.position_type or "viewed") == "viewed",
        row.position_event_id or "",
    )
    return Position(row.current_topic, row.current_lesson, row.current_section, order, bool(row.position_tied))


def section_of(row: Row[Any]) -> Section | None:
    """The section of a row of `user_course_progress`, ids and enums as text."""
    if row.section_id is None:
        return None
    order = (row.section_at, row.section_sequence or "", row.section_type == "viewed", row.section_event_id)
    return Section(row.section_id, order)


def section_columns(section: Section | None) -> tuple[object, ...]:
    """In the order of the columns, as JSON has them."""
    if section is None:
        return (None,) * 5
    at, sequence, is_view, event_id = section.order
    return (section.section_id, at.isoformat(), sequence, "viewed" if is_view else "completed", event_id)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def ledger_event(row: Row[Any]) -> LedgerEvent:
    """The event of a row with the ledger's columns, ids and enums as text. Not checked again."""
    envelope = {"specversion": "1.0", "id": row.event_id, "source": "ledger", "time": row.occurred_at}
    envelope["sequence"] = row.sequence or None
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
