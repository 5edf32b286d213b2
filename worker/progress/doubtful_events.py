"""Events that are dated before their enrollment was made: applied as told, and counted."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_READ = text("""
    SELECT coalesce(sum(doubtful_events), 0) AS events, count(*) AS enrollments, min(user_course_id) AS first
    FROM enrollment_activity WHERE doubtful_events > 0
""")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """How many such events there are, of how many enrollments, and the lowest id of those."""

    events: int
    enrollments: int
    first: int | None


def read_doubtful(connection: Connection) -> Doubtful:
    """Those that the stored activity shows. Costs one row of each enrollment that has any."""
    found = connection.execute(_READ).one()
    return Doubtful(int(found.events), found.enrollments, found.first)
