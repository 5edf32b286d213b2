"""Events dated before their enrollment was created: applied as they are, and counted."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_READ = text("""
    SELECT coalesce(sum(doubtful_events), 0) AS events, count(*) AS enrollments, min(user_course_id) AS first
    FROM enrollment_activity WHERE doubtful_events > 0
""")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """The number of such events and of their enrollments, and the lowest enrollment id."""

    events: int
    enrollments: int
    first: int | None


def read_doubtful(connection: Connection) -> Doubtful:
    """Read the counts from the stored activity. Reads one row of each enrollment with doubtful events."""
    found = connection.execute(_READ).one()
    return Doubtful(int(found.events), found.enrollments, found.first)
