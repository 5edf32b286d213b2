"""Marks record that a stored rollup is stale; its refresh takes them away before it computes (docs/decisions/0005).

| what changed                                 | mark                                  | set by                      |
|----------------------------------------------|---------------------------------------|-----------------------------|
| an enrollment, inserted                      | `user_course.stale_since`             | the column's default        |
| its rows or position, by events              | `user_course.stale_since`             | `progress.record`, `.ties`  |
| its course or current lesson, by an LMS      | `stale_since`, `course_change`        | trigger                     |
| its rows, inserted or deleted without events | `enrollment_change`                   | trigger                     |
| its ledger alone, by a late event            | `activity_change`                     | `progress.record`           |
| its ledger, by retention                     | `activity_change`                     | `progress.expired_events`   |
| its ledger or rows, by `void` or a repair    | `activity_change`                     | `mark_activity`             |
| its time zone                                | `activity_change`                     | trigger                     |
| its stale summary, refreshed                 | `activity_change`                     | `summary.statement`         |
| its summary, refreshed                       | `course_change`                       | `summary.statement`         |
| its activity, refreshed                      | `course_change`                       | `analytics.activity_claims` |
| an enrollment, deleted                       | `course_change`                       | trigger                     |
| a course's outline                           | `course.stale_since`, `course_change` | `progress.outlines`         |
| a course's statistics, found wrong           | `course_change`                       | `mark_statistics`           |

A change during a refresh leaves a mark of its own. `failed_at` on a mark says that its last refresh failed.
"""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, TextClause, text

Rollup = Literal["summaries", "activity", "course_statistics"]

FAILED_SUMMARIES = "SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL"
FAILED_ACTIVITY = "SELECT user_course_id FROM activity_change WHERE failed_at IS NOT NULL"
FAILED_STATISTICS = "SELECT course_id FROM course_change WHERE failed_at IS NOT NULL"
"""Whose last refresh failed: enrollments, enrollments and courses, an id once for each mark."""

_MARK_ACTIVITY = text("""
    INSERT INTO activity_change (user_course_id)
    SELECT id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) FOR KEY SHARE SKIP LOCKED
    RETURNING user_course_id
""")

_MARK_STATISTICS = text("INSERT INTO course_change (course_id) VALUES (:course_id)")

# A stale enrollment may have no row of `enrollment_change` yet.
_MARK_FAILED = {
    "summaries": text("""
        WITH known AS (
            DELETE FROM enrollment_change
            WHERE id = ANY(ARRAY(
                SELECT id FROM enrollment_change WHERE user_course_id = :id AND failed_at IS NOT NULL
                FOR UPDATE SKIP LOCKED
            ))
        )
        INSERT INTO enrollment_change (user_course_id, failed_at)
        SELECT id, now() FROM user_course WHERE id = :id FOR KEY SHARE SKIP LOCKED
    """),
    "activity": text("""
        UPDATE activity_change SET failed_at = now()
        WHERE id = ANY(ARRAY(SELECT id FROM activity_change WHERE user_course_id = :id FOR UPDATE SKIP LOCKED))
    """),
    "course_statistics": text("""
        UPDATE course_change SET failed_at = now()
        WHERE id = ANY(ARRAY(SELECT id FROM course_change WHERE course_id = :id FOR UPDATE SKIP LOCKED))
    """),
}

_ENROLLMENT_MARKS = {"summaries": "enrollment_change", "activity": "activity_change"}

_LONGEST_FAILED = {
    rollup: text(f"""
        SELECT user_course_id FROM {table_name}
        WHERE failed_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM {table_name} WHERE failed_at BETWEEN now() - make_interval(secs => :seconds) AND now()
        )
        ORDER BY failed_at LIMIT 1
    """)  # noqa: S608 - our own tables
    for rollup, table_name in _ENROLLMENT_MARKS.items()
}

PAGE = "id > :after ORDER BY id LIMIT 20 * :limit"
"""One page of marks: an enrollment may have many."""

_END_OF_PAGE = {
    rollup: text(f"SELECT max(id) FROM (SELECT id FROM {table_name} WHERE {PAGE}) AS page")  # noqa: S608 - the same
    for rollup, table_name in _ENROLLMENT_MARKS.items()
}


def mark_activity(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Mark the activity of these enrollments as stale; return those that exist and are not being deleted."""
    return set(connection.scalars(_MARK_ACTIVITY, {"ids": list(ids)}))


def mark_statistics(connection: Connection, course_id: int) -> None:
    """Mark the statistics of a course as stale."""
    connection.execute(_MARK_STATISTICS, {"course_id": course_id})


def mark_failed(connection: Connection, rollup: Rollup, key: int) -> None:
    """Record that the refresh of this enrollment, or course, failed, so that claims skip it, or take it last."""
    connection.execute(_MARK_FAILED[rollup], {"id": key})


def longest_failed(connection: Connection, rollup: Rollup, seconds: float) -> int | None:
    """Return the enrollment whose failure is the oldest; None if there is none or any failed in the last `seconds`."""
    found: int | None = connection.scalar(_LONGEST_FAILED[rollup], {"seconds": seconds})
    return found


def claim_marked(connection: Connection, rollup: Rollup, claim: TextClause, limit: int) -> list[int]:
    """Run the claim on one `PAGE` of marks after the other until it locks up to `limit` enrollments."""
    after: int | None = 0
    while after is not None:
        page = {"after": after, "limit": limit}
        if ids := list(connection.scalars(claim, page)):
            return ids
        after = connection.scalar(_END_OF_PAGE[rollup], page)
    return []
