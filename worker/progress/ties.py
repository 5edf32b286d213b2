"""Tied positions: an enrollment's latest events name several lessons, and the outline decides between them.

The outline may arrive or change after the events. So recording settles a tie by the current outline, and refreshing a
summary settles it again (docs/decisions/0012).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.progress.current_lesson import CurrentLesson

# If retention has deleted the position's event, the tied events may be incomplete too.
_POSITIONS = """
    SELECT DISTINCT ON (enrollment.id)
           enrollment.id, event.topic_id, event.lesson_id, event.event_id, position_at, progress.section_id
    FROM user_course AS enrollment
    JOIN lesson_event AS event ON event.user_course_id = enrollment.id
        AND (event.occurred_at, event.sequence, event.type) = (position_at, position_sequence, position_type)
    LEFT JOIN user_course_progress AS progress
        ON (progress.user_course_id, progress.topic_id, progress.lesson_id)
         = (enrollment.id, event.topic_id, event.lesson_id)
    LEFT JOIN moved_lesson AS moved
        ON (moved.course_id, from_topic_id, from_lesson_id) = (enrollment.course_id, event.topic_id, event.lesson_id)
    LEFT JOIN course_lesson AS lesson
        ON (lesson.course_id, lesson.topic_id, lesson.lesson_id)
         = (enrollment.course_id, coalesce(moved.topic_id, event.topic_id), coalesce(moved.lesson_id, event.lesson_id))
    WHERE enrollment.id = ANY(CAST(:ids AS bigint[])) AND position_tied AND EXISTS (
        SELECT FROM lesson_event AS its WHERE (its.user_course_id, its.event_id) = (enrollment.id, position_event_id)
    )
    ORDER BY enrollment.id, coalesce(ordinal, 0) DESC, event.event_id DESC
"""

_SETTLE = text(f"""
    WITH latest AS ({_POSITIONS})
    UPDATE user_course AS known
    SET current_topic = latest.topic_id, current_lesson = latest.lesson_id, current_section = latest.section_id,
        position_event_id = latest.event_id, updated_at = statement_timestamp(),
        stale_since = coalesce(stale_since, now())
    FROM latest
    WHERE known.id = latest.id AND known.position_event_id <> latest.event_id
""")  # noqa: S608 - a constant

_READ = text(f"{_POSITIONS}")


def settle_ties(connection: Connection, user_course_ids: Sequence[int]) -> None:
    """Set each tied position to the one of its lessons that is last in the outline, or by event id without an outline.

    The enrollments must be locked. Reads the ledger of those that are tied.
    """
    connection.execute(_SETTLE, {"ids": list(user_course_ids)})


def tied_positions(connection: Connection, user_course_ids: Sequence[int]) -> dict[int, CurrentLesson]:
    """Return the position of each tied one of these enrollments, by the current outline."""
    return {
        row.id: CurrentLesson(row.topic_id, row.lesson_id, row.section_id, row.position_at)
        for row in connection.execute(_READ, {"ids": list(user_course_ids)})
    }
