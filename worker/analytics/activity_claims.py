"""Refresh enrollments' activity: claim some that are marked, then compute and store all of theirs in one statement.

In one transaction of the caller: `claim`, `refresh`, commit. The marks go first: what is computed after that shows
every change they stood for, and a change that comes later leaves a mark of its own. Events may be recorded meanwhile.
The definitions, in plain Python: `worker.analytics.rules.activity`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.activity_statement import REFRESH
from worker.analytics.rules.activity import DOUBTFUL
from worker.analytics.zone_offsets import clocks_of
from worker.database.engine import without_jit
from worker.database.locks import ACTIVITY_LOCK

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

# Locked against deletion alone; of one enrollment there may be many marks. Those of one that failed are left out.
_CLAIM = text("""
    SELECT enrollment.id
    FROM (
        SELECT user_course_id, min(id) AS first
        FROM (
            SELECT id, user_course_id FROM activity_change WHERE id > :after ORDER BY id LIMIT 20 * :limit
        ) AS page
        WHERE user_course_id <> ALL(ARRAY(SELECT user_course_id FROM activity_change WHERE failed_at IS NOT NULL))
        GROUP BY user_course_id
    ) AS mark
    JOIN user_course AS enrollment ON enrollment.id = mark.user_course_id
    ORDER BY mark.first LIMIT :limit
    FOR KEY SHARE OF enrollment SKIP LOCKED
""")

_END_OF_PAGE = text("""
    SELECT max(id) FROM (SELECT id FROM activity_change WHERE id > :after ORDER BY id LIMIT 20 * :limit) AS page
""")

_TAKE_MARKS = text("""
    WITH taken AS (
        DELETE FROM activity_change WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        RETURNING user_course_id, changed_at
    )
    INSERT INTO course_change (course_id, changed_at)
    SELECT course_id, min(changed_at) FROM taken JOIN user_course ON id = user_course_id
    WHERE course_id IS NOT NULL GROUP BY course_id
""")

_MARK = text("""
    INSERT INTO activity_change (user_course_id)
    SELECT id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) FOR KEY SHARE SKIP LOCKED
    RETURNING user_course_id
""")

_OLDEST = text("""
    SELECT least((SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL),
                 (SELECT min(changed_at) FROM activity_change))
""")


def mark(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Have the activity of these enrollments computed again; those that are there and that nobody else has locked."""
    return set(connection.scalars(_MARK, {"ids": list(ids)}))


def claim(connection: Connection, limit: int) -> list[int] | None:
    """Lock up to `limit` marked enrollments against deletion, oldest mark first, and pass marks on to their courses.

    None while another transaction is at it: its result, of an older moment, could else overwrite the newer one.
    Enrollments that are locked for deletion are passed over, however many; failed ones are `activity_failure`'s.
    """
    if not try_lock(connection):
        return None
    after: int | None = 0
    while after is not None:
        page = {"after": after, "limit": limit}
        if ids := list(connection.scalars(_CLAIM, page)):
            take_marks(connection, ids)
            return ids
        after = connection.scalar(_END_OF_PAGE, page)
    return []


def try_lock(connection: Connection) -> bool:
    """Keep others from computing any activity until the transaction ends; whether no other is at it."""
    return bool(connection.scalar(_TRY_LOCK, {"key": ACTIVITY_LOCK}))


def take_marks(connection: Connection, ids: Sequence[int]) -> None:
    """Pass the marks of these enrollments on to their courses. The enrollments must be locked against deletion."""
    connection.execute(_TAKE_MARKS, {"ids": list(ids)})


def refresh(connection: Connection, ids: Sequence[int], idle_cutoff_seconds: float) -> None:
    """Compute and store the activity of these claimed enrollments. One such statement, whatever the number.

    Costs their whole ledger; of lessons, topics and days only the rows that changed are written.
    """
    without_jit(connection)
    given = {"idle_cutoff_seconds": idle_cutoff_seconds, "doubtful_seconds": DOUBTFUL.total_seconds()}
    connection.execute(REFRESH, {"ids": list(ids), "clocks": clocks_of(connection, ids), **given})


def oldest_change(connection: Connection) -> datetime | None:
    """The time of the oldest change that some enrollment's activity does not show; None when all are up to date."""
    oldest: datetime | None = connection.scalar(_OLDEST)
    return oldest
