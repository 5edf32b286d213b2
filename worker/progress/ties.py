"""Positions on which the outline decides: lessons of several events that are an enrollment's latest together.

The outline may come, or change, after the events. So recording an event settles its tie with the outline there is, and
the refresh of a summary settles it again (docs/decisions/0012).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.progress.current_lesson import CurrentLesson

# Where retention has deleted the position's event, the others are not all there either.
_PLACES = """
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
    WITH place AS ({_PLACES})
    UPDATE user_course AS known
    SET current_topic = place.topic_id, current_lesson = place.lesson_id, current_section = place.section_id,
        position_event_id = place.event_id, updated_at = now(), stale_since = coalesce(stale_since, now())
    FROM place
    WHERE known.id = place.id AND known.position_event_id <> place.event_id
""")  # noqa: S608 - a constant

_READ = text(f"{_PLACES}")


def settle_ties(connection: Connection, user_course_ids: Sequence[int]) -> None:
    """Of several latest lessons of these enrollments have the one that comes last in the outline be the position.

    The enrollments must be locked. Changes nothing where no outline tells the lessons apart. Reads the ledger of those
    that are tied.
    """
    connection.execute(_SETTLE, {"ids": list(user_course_ids)})


def tied_places(connection: Connection, user_course_ids: Sequence[int]) -> dict[int, CurrentLesson]:
    """The position that each of these enrollments has by the outline as it is now; those that are tied alone."""
    return {
        row.id: CurrentLesson(row.topic_id, row.lesson_id, row.section_id, row.position_at)
        for row in connection.execute(_READ, {"ids": list(user_course_ids)})
    }
