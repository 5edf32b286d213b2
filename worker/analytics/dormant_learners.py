"""The dormant learners of a course: once active, no longer so, and without completing it.

Only enrollments that the course's statistics include as they are now, so that both agree.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.analysis import DormantLearner
from worker.analytics.seen_enrollments import SEEN
from worker.analytics.zone_offsets import clocks_of_course

_DORMANT = text(f"""
    WITH {SEEN}
    SELECT id, last_seen_on, completion_percentage, count(*) OVER () AS learners
    FROM seen
    WHERE is_included AND NOT is_finished AND today - last_seen_on >= :dormant_days
    ORDER BY last_seen_on DESC, id LIMIT :limit
""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Dormant:
    """The number of dormant learners, and those last seen most recently."""

    count: int
    latest: list[DormantLearner]


def read_dormant(
    connection: Connection, course_id: int, now: datetime, as_of: datetime | None, dormant_days: int, limit: int
) -> Dormant:
    """Return the dormant learners of a course, as `rules.streaks.is_dormant` defines, listing up to `limit`.

    Of the enrollments that its statistics, complete up to `as_of`, include; learners who completed the course are not
    dormant. Two queries; reads one row of each enrollment.
    """
    found = connection.execute(
        _DORMANT,
        {
            "course_id": course_id,
            "now": now,
            "as_of": as_of,
            "dormant_days": dormant_days,
            "limit": limit,
            "clocks": clocks_of_course(connection, course_id),
        },
    ).all()
    return Dormant(
        found[0].learners if found else 0,
        [DormantLearner(row.id, row.last_seen_on, row.completion_percentage) for row in found],
    )
