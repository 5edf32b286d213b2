"""The time zones of enrollments over time, as `rules.local_day.Zones`, for statements to join.

A name that Python's tz database does not have, in this spelling, is UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, text

from worker.analytics.rules.local_day import Zones

# A repeated name is no change, so that an enrollment reported daily has one zone.
CHANGES = """
    change AS (
        SELECT id, name, since, made_at, nth
        FROM (
            SELECT id, name, CASE nth WHEN 1 THEN '-infinity' ELSE occurred_at END AS since, made_at, nth,
                   nth > 1 AND name IS NOT DISTINCT FROM lag(name) OVER (PARTITION BY id ORDER BY nth) AS goes_on
            FROM (
                SELECT enrollment.id, event.occurred_at,
                       CASE WHEN event.event_id IS NULL THEN enrollment.timezone ELSE event.timezone END AS name,
                       min(event.occurred_at) FILTER (WHERE NOT event.by_lms) OVER (PARTITION BY enrollment.id)
                           AS made_at,
                       row_number() OVER (
                           PARTITION BY enrollment.id
                           ORDER BY event.occurred_at, event.sequence, event.arrival, event.event_id
                       ) AS nth
                FROM enrollment LEFT JOIN enrollment_event AS event ON event.user_course_id = enrollment.id
            ) AS its
        ) AS numbered
        WHERE NOT goes_on
    )
"""
"""For each enrollment of a CTE `enrollment (id, timezone)`: since when each name was in force. `made_at` is the time of
the enrollment's earliest event."""

ZONES = f"""
    {CHANGES},
    clock AS (
        SELECT e->>0 AS name, coalesce((e->>1)::timestamptz, '-infinity') AS since,
               coalesce((e->>2)::timestamptz, 'infinity') AS until, e->>3 AS zone
        FROM jsonb_array_elements(CAST(:clocks AS jsonb)) AS given (e)
    ),
    lasting AS (
        SELECT id, name, since, made_at,
               coalesce(lead(since) OVER (PARTITION BY id ORDER BY nth), 'infinity') AS until
        FROM change
    ),
    zone AS MATERIALIZED (
        SELECT id, coalesce(zone, 'UTC') AS zone, greatest(lasting.since, clock.since) AS since,
               least(lasting.until, clock.until) AS until, made_at
        FROM lasting LEFT JOIN clock
            ON clock.name = lasting.name AND clock.since < lasting.until AND clock.until > lasting.since
    )
"""  # noqa: S608 - constants
"""The same with `until` and a `zone` for `AT TIME ZONE`, by the parameter `clocks` of `zone_offsets`. At any time
exactly one row of an enrollment is in force."""

_READ = text(f"""
    WITH enrollment AS (SELECT id, timezone FROM user_course WHERE id = ANY(CAST(:ids AS bigint[]))), {CHANGES}
    SELECT id, nullif(since, '-infinity') AS since, name, made_at FROM change ORDER BY id, nth
""")  # noqa: S608 - constants


def in_force(moment: str) -> str:
    """Return the condition that a row of `zone` is in force at a moment, given its column."""
    return f"{moment} >= since AND {moment} < until"


@dataclass(frozen=True, slots=True)
class EnrollmentZones:
    """An enrollment's zones, and the time of its earliest event; None without one."""

    zones: Zones
    made_at: datetime | None


def read_zones(connection: Connection, ids: Sequence[int]) -> dict[int, EnrollmentZones]:
    """Return the zones of those of these enrollments that exist. One query."""
    rows = connection.execute(_READ, {"ids": list(ids)}).all()
    found = {key: list(its) for key, its in groupby(rows, key=lambda row: int(row.id))}
    return {
        key: EnrollmentZones(Zones.of((row.since, row.name) for row in its), its[0].made_at)
        for key, its in found.items()
    }
