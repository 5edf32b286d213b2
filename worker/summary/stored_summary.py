"""Read stored summaries, and the state of an enrollment to compute one where the stored one is stale."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.ties import tied_positions
from worker.summary.next_lesson import NextReason
from worker.summary.rules import Summary

# Together they say that the summary of an enrollment is current.
IS_UNMARKED = """enrollment.stale_since IS NULL
    AND NOT EXISTS (SELECT FROM enrollment_change WHERE user_course_id = enrollment.id)"""
IS_OF_ITS_COURSE = "summary.course_id IS NOT DISTINCT FROM enrollment.course_id"
IS_OF_ITS_OUTLINE = """summary.outline_version
    = coalesce((SELECT version FROM course WHERE id = enrollment.course_id), 0)"""

# Scalar subqueries instead of joins, and none for titles that are not wanted: most of the cost of one summary is
# planning (docs/decisions/0006).
_STORED = text(f"""
    SELECT enrollment.id, summary.*, summary.outline_version > 0 AS total_is_known,
           CASE WHEN CAST(:titled AS boolean) THEN (
               SELECT title FROM course_lesson WHERE (course_id, topic_id, lesson_id)
                   = (summary.course_id, current_topic_id, current_lesson_id)) END AS current_title,
           CASE WHEN CAST(:titled AS boolean) THEN (
               SELECT title FROM course_lesson WHERE (course_id, topic_id, lesson_id)
                   = (summary.course_id, next_topic_id, next_lesson_id)) END AS next_title,
           {IS_UNMARKED} AND {IS_OF_ITS_COURSE} AND {IS_OF_ITS_OUTLINE} AS is_current
    FROM user_course AS enrollment
    LEFT JOIN user_course_summary AS summary ON summary.user_course_id = enrollment.id
    WHERE enrollment.id = ANY(CAST(:ids AS bigint[]))
    ORDER BY enrollment.id
""")  # noqa: S608 - constants

_STATES = text("""
    SELECT id, course_id, current_topic, current_lesson, current_section, position_at, position_tied, now() AS read_at,
           (SELECT jsonb_agg(jsonb_build_array(topic_id, lesson_id, status))
            FROM user_course_progress WHERE user_course_id = enrollment.id) AS progress
    FROM user_course AS enrollment WHERE id = ANY(CAST(:ids AS bigint[]))
    ORDER BY id
""")


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """The stored summary of an enrollment, if any, which was right when it was refreshed."""

    user_course_id: int
    summary: Summary | None
    refreshed_at: datetime | None
    is_current: bool
    """Nothing has changed since then."""
    titles: dict[Lesson, str | None]
    """Of the current and next lesson, if wanted."""


@dataclass(frozen=True, slots=True)
class EnrollmentState:
    """An enrollment's course, current lesson and rows."""

    user_course_id: int
    course_id: int | None
    current_lesson: CurrentLesson
    rows: dict[Lesson, ProgressStatus]
    read_at: datetime


def read_stored(connection: Connection, ids: Sequence[int], *, titled: bool = True) -> list[StoredSummary]:
    """Return the stored summaries of those of these enrollments that exist, by id. One query; titles cost a little."""
    return [
        StoredSummary(
            user_course_id=row.id,
            summary=_summary(row) if row.user_course_id else None,
            refreshed_at=row.refreshed_at,
            is_current=bool(row.is_current),
            titles={
                (row.current_topic_id, row.current_lesson_id): row.current_title,
                (row.next_topic_id, row.next_lesson_id): row.next_title,
            },
        )
        for row in connection.execute(_STORED, {"ids": list(ids), "titled": titled})
    ]


def read_states(connection: Connection, ids: Sequence[int]) -> list[EnrollmentState]:
    """Return the states of those of these enrollments that exist, by id.

    One query, and another if the outline decides between tied positions.
    """
    found = connection.execute(_STATES, {"ids": list(ids)}).all()
    ids_tied = [row.id for row in found if row.position_tied]
    tied = tied_positions(connection, ids_tied) if ids_tied else {}
    return [
        EnrollmentState(
            user_course_id=row.id,
            course_id=row.course_id,
            current_lesson=tied.get(row.id)
            or CurrentLesson(row.current_topic, row.current_lesson, row.current_section, row.position_at),
            rows={(topic, lesson): ProgressStatus(status) for topic, lesson, status in row.progress or ()},
            read_at=row.read_at,
        )
        for row in found
    ]


def _summary(row: Row[Any]) -> Summary:
    reason = row.next_reason
    members = {field.name: getattr(row, field.name) for field in fields(Summary)}
    return Summary(**{**members, "next_reason": NextReason(reason) if reason else None})
