"""Read the stored rows of enrollments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.audit.expected import position_columns
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.reference import Position, Progress, Section
from worker.summary.stored_summary import IS_OF_ITS_COURSE, IS_OF_ITS_OUTLINE, IS_UNMARKED

_EXTEND_IDLE_TIMEOUT = text("SET LOCAL idle_in_transaction_session_timeout = '10min'")

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

_SIZES = text("""
    SELECT enrollment.id, events + rows AS size
    FROM unnest(CAST(:ids AS bigint[])) AS enrollment (id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS events
        FROM (SELECT FROM lesson_event WHERE user_course_id = enrollment.id LIMIT :max_count) AS its
    ) AS recorded
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows
        FROM (SELECT FROM user_course_progress WHERE user_course_id = enrollment.id LIMIT :max_count) AS its
    ) AS stored
    ORDER BY enrollment.id
""")

# Summaries of an older outline are marked on their course.
_UNMARKED = text(f"""
    SELECT enrollment.id
    FROM user_course AS enrollment
    LEFT JOIN user_course_summary AS summary ON summary.user_course_id = enrollment.id
    LEFT JOIN course ON course.id = enrollment.course_id
    WHERE enrollment.id = ANY(CAST(:ids AS bigint[])) AND {IS_UNMARKED}
      AND (summary.user_course_id IS NULL OR NOT {IS_OF_ITS_COURSE}
           OR (NOT {IS_OF_ITS_OUTLINE} AND course.stale_since IS NULL))
""")  # noqa: S608 - constants

_IS_BEHIND = text("""
    SELECT EXISTS (SELECT FROM course_change WHERE course_id = :course_id)
        OR EXISTS (SELECT FROM user_course WHERE course_id = :course_id AND stale_since IS NOT NULL)
        OR EXISTS (
            SELECT FROM enrollment_change JOIN user_course ON user_course.id = user_course_id
            WHERE course_id = :course_id
        )
""")


@dataclass(frozen=True, slots=True)
class StoredEnrollment:
    """An enrollment's row and its progress rows."""

    id: int
    course_id: int | None
    columns: dict[str, object]
    """The position's columns, whoever wrote them."""
    position: Position | None
    """None unless an event made it."""
    current_lesson: CurrentLesson
    """The position as a summary shows it."""
    history_from: datetime | None
    is_of_lms: bool
    """No event created it."""
    rows: dict[Lesson, Progress]


def extend_idle_timeout(connection: Connection) -> None:
    """Let this transaction idle for 10 minutes while Python applies the rules. It must hold no locks."""
    connection.execute(_EXTEND_IDLE_TIMEOUT)


def read_sizes(connection: Connection, ids: Sequence[int], max_count: int) -> dict[int, int]:
    """Return the number of events and rows of each enrollment, counting up to `max_count` of each kind."""
    return {row.id: row.size for row in connection.execute(_SIZES, {"ids": list(ids), "max_count": max_count})}


def read_enrollments(connection: Connection, ids: Sequence[int]) -> list[StoredEnrollment]:
    """Return these enrollments with their progress rows, in order of ids. Two queries."""
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
            current_lesson=CurrentLesson(row.current_topic, row.current_lesson, row.current_section, row.position_at),
            history_from=row.history_from,
            is_of_lms=row.is_of_lms,
            rows=rows.get(row.id, {}),
        )
        for row in connection.execute(_ENROLLMENTS, {"ids": list(ids)})
    ]


def unmarked(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Return the enrollments whose summary is missing or of another outline, with no mark that it is stale."""
    return list(connection.scalars(_UNMARKED, {"ids": list(ids)}))


def is_behind(connection: Connection, course_id: int) -> bool:
    """Return whether the course's statistics are behind."""
    return bool(connection.scalar(_IS_BEHIND, {"course_id": course_id}))


def _position(row: Row[Any]) -> Position | None:
    if row.position_at is None:
        return None
    # Positions older than these columns have neither a sequence nor a type.
    order = (
        row.position_at,
        row.position_sequence or "",
        (row.position_type or "viewed") == "viewed",
        row.position_event_id or "",
    )
    return Position(row.current_topic, row.current_lesson, row.current_section, order, bool(row.position_tied))


def section_of(row: Row[Any]) -> Section | None:
    """Return the section in a row of `user_course_progress`, whose ids and enums are text."""
    if row.section_id is None:
        return None
    order = (row.section_at, row.section_sequence or "", row.section_type == "viewed", row.section_event_id)
    return Section(row.section_id, order)
