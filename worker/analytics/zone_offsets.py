"""Arguments of `AT TIME ZONE` for the zones of some enrollments, so that PostgreSQL's local times equal Python's.

A leading colon names the zone even where PostgreSQL has an abbreviation of that name, such as `CET`, with a fixed
offset. Where PostgreSQL's tz database lacks a zone, or has other rules for it since 1980, Python's offsets are passed
one by one.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, text

from worker.contract.time_zones import BEGINNING, END, local_zone, settings_of, zone_names

Clock = tuple[str, datetime | None, datetime | None, str]
"""A zone's name, since and until when (None: unbounded), and the argument of `AT TIME ZONE` then."""

_OF_IDS = text("""
    SELECT pg_postmaster_start_time(), ARRAY(
        SELECT timezone FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) UNION
        SELECT timezone FROM enrollment_event WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
    )
""")

_OF_COURSE = text("""
    SELECT pg_postmaster_start_time(), ARRAY(
        SELECT timezone FROM user_course WHERE course_id = :course_id UNION
        SELECT event.timezone FROM enrollment_event AS event
        JOIN user_course AS enrollment ON enrollment.id = event.user_course_id
        WHERE enrollment.course_id = :course_id
    )
""")

_KNOWN = text("SELECT name FROM pg_timezone_names WHERE name = ANY(CAST(:names AS text[]))")

# A rule lasts for weeks at least, or changes where Python's does.
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
"""By zone name and the start of the server, which reads its tz database once."""


def clocks_of(connection: Connection, ids: Sequence[int]) -> str:
    """Return the parameter `clocks` of `zone_history.ZONES` for these enrollments. One query, three for a new zone."""
    return _clocks(connection, *connection.execute(_OF_IDS, {"ids": list(ids)}).one())


def clocks_of_course(connection: Connection, course_id: int) -> str:
    """Return the same for all enrollments of a course."""
    return _clocks(connection, *connection.execute(_OF_COURSE, {"course_id": course_id}).one())


def _clocks(connection: Connection, started_at: datetime, names: Sequence[str | None]) -> str:
    known = sorted(zone_names() & set(names))
    if new := [name for name in known if (started_at, name) not in _found]:
        agreeing = _agreeing(connection, new)
        for name in new:
            whole: list[Clock] = [(name, None, None, f":{name}")]
            _found[started_at, name] = whole if name in agreeing else list(_pieces(name))
    return json.dumps([clock for name in known for clock in _found[started_at, name]], default=datetime.isoformat)


def _agreeing(connection: Connection, names: Sequence[str]) -> set[str]:
    """Return the zones for which PostgreSQL has the same rules as Python."""
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
    """Return an offset as POSIX writes it: with the opposite sign."""
    hours, seconds = divmod(abs(int(offset.total_seconds())), 3_600)
    return f"<local>{'+' if offset < timedelta() else '-'}{hours:02}:{seconds // 60:02}:{seconds % 60:02}"
