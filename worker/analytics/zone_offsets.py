"""What `AT TIME ZONE` takes for the zones of some enrollments, so that PostgreSQL's clocks are Python's.

A name with a colon before it is the zone of that name also where PostgreSQL has an abbreviation of it, such as `CET`,
of one offset all year. Where PostgreSQL's tz database is of another release, or made otherwise, and has other rules for
a zone since 1980, or no such zone, Python's offsets are told one by one.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, text

from worker.contract.time_zones import BEGINNING, END, local_zone, settings_of, zone_names

Clock = tuple[str, datetime | None, datetime | None, str]
"""A zone's name, from when until when (None: ever), and what to give to `AT TIME ZONE` then."""

_OF_IDS = text("""
    SELECT pg_postmaster_start_time(), ARRAY(
        SELECT timezone FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) UNION
        SELECT timezone FROM enrollment_event WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
    )
""")

_OF_COURSE = text("""
    SELECT pg_postmaster_start_time(), ARRAY(
        SELECT timezone FROM user_course WHERE course_id = :course_id UNION
        SELECT told.timezone FROM enrollment_event AS told
        JOIN user_course AS enrollment ON enrollment.id = told.user_course_id
        WHERE enrollment.course_id = :course_id
    )
""")

_KNOWN = text("SELECT name FROM pg_timezone_names WHERE name = ANY(CAST(:names AS text[]))")

# Rules change for weeks at least, or where Python's do.
_LOCAL = text("""
    SELECT name, at, at AT TIME ZONE (':' || name) AS local
    FROM unnest(CAST(:names AS text[])) AS name
    CROSS JOIN generate_series(CAST(:beginning AS timestamptz), CAST(:end AS timestamptz), '14 days') AS at
    UNION ALL
    SELECT name, at, at AT TIME ZONE (':' || name)
    FROM unnest(CAST(:set_names AS text[]), CAST(:set_at AS timestamptz[])) AS setting (name, at)
""")

_SECOND = timedelta(seconds=1)
_found: dict[tuple[datetime, str], list[Clock]] = {}
"""By the start of the server, whose tz database is read once, and the zone's name."""


def clocks_of(connection: Connection, ids: Sequence[int]) -> str:
    """The parameter `clocks` of `zone.ZONES` for these enrollments. One query; two more for a zone not met before."""
    return _clocks(connection, *connection.execute(_OF_IDS, {"ids": list(ids)}).one())


def clocks_of_course(connection: Connection, course_id: int) -> str:
    """The same for all enrollments of a course."""
    return _clocks(connection, *connection.execute(_OF_COURSE, {"course_id": course_id}).one())


def _clocks(connection: Connection, started_at: datetime, names: Sequence[str | None]) -> str:
    told = sorted(zone_names() & set(names))
    if new := [name for name in told if (started_at, name) not in _found]:
        agreeing = _agreeing(connection, new)
        for name in new:
            whole: list[Clock] = [(name, None, None, f":{name}")]
            _found[started_at, name] = whole if name in agreeing else list(_pieces(name))
    return json.dumps([clock for name in told for clock in _found[started_at, name]], default=datetime.isoformat)


def _agreeing(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those that PostgreSQL knows and has Python's rules for."""
    known = sorted(connection.scalars(_KNOWN, {"names": list(names)}))
    settings = [
        (name, at) for name in known for moment in settings_of(local_zone(name)) for at in (moment - _SECOND, moment)
    ]
    rows = connection.execute(
        _LOCAL,
        {
            "names": known,
            "beginning": BEGINNING,
            "end": END,
            "set_names": [name for name, _ in settings],
            "set_at": [at for _, at in settings],
        },
    )
    zones = {name: local_zone(name) for name in known}
    return set(known) - {name for name, at, local in rows if at.astimezone(zones[name]).replace(tzinfo=None) != local}


def _pieces(name: str) -> Iterator[Clock]:
    zone = local_zone(name)
    for since, until in pairwise([None, *settings_of(zone), None]):
        offset = (since or BEGINNING).astimezone(zone).utcoffset() or timedelta()
        yield name, since, until, _fixed(offset)


def _fixed(offset: timedelta) -> str:
    """An offset as POSIX writes it: with the opposite sign."""
    hours, seconds = divmod(abs(int(offset.total_seconds())), 3_600)
    return f"<local>{'+' if offset < timedelta() else '-'}{hours:02}:{seconds // 60:02}:{seconds % 60:02}"
