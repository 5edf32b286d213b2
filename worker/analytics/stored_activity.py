"""Read stored activity as the rows of its tables, to compare them with the rules."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.analytics.freshness import HAS_CURRENT_ACTIVITY
from worker.analytics.rules.activity_rows import ActivityRows

_SETTLED = text(f"""
    SELECT id FROM user_course AS enrollment WHERE id = ANY(CAST(:ids AS bigint[])) AND {HAS_CURRENT_ACTIVITY}
""")  # noqa: S608 - a constant

_TABLES = {
    "enrollment_activity": (
        1,
        text("""
            SELECT user_course_id, seconds, measured_seconds, sessions, session_seconds, first_at, last_at,
                   events_by_hour, doubtful_events
            FROM enrollment_activity WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        """),
    ),
    "topic_activity": (
        2,
        text("""
            SELECT user_course_id, topic_id, seconds, measured_seconds
            FROM topic_activity WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        """),
    ),
    "lesson_activity": (
        3,
        text("""
            SELECT user_course_id, topic_id, lesson_id, seconds, measured_seconds, visits, first_visit_at,
                   last_visit_at, visits_to_complete
            FROM lesson_activity WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        """),
    ),
    "daily_activity": (
        2,
        text("""
            SELECT user_course_id, day, seconds, measured_seconds, events
            FROM daily_activity WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        """),
    ),
}
"""The number of key columns, and the query."""


def settled(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Return those of these enrollments whose activity is current."""
    return list(connection.scalars(_SETTLED, {"ids": list(ids)}))


def read_rows(connection: Connection, ids: Sequence[int]) -> dict[int, ActivityRows]:
    """Return the stored rows of each of these enrollments. Four queries."""
    found: dict[int, ActivityRows] = {each: {} for each in ids}
    for table, (key_columns, statement) in _TABLES.items():
        result = connection.execute(statement, {"ids": list(ids)})
        columns = list(result.keys())[key_columns:]
        for row in result:
            found[row[0]][table, tuple(row[:key_columns])] = dict(zip(columns, row[key_columns:], strict=True))
    return found
