"""Read the times that learning systems write: RFC 3339, its near misses, and seconds or milliseconds since 1970."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from worker.adapters.outcome import Rejected
from worker.contract.connection import Connection
from worker.contract.event_time import MAX_AHEAD_MILLISECONDS
from worker.contract.time_zones import local_zone

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time is a clock that was never set."""
MILLISECONDS_FROM = 10**11
"""Numbers from here on are milliseconds, smaller ones seconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_AHEAD = timedelta(milliseconds=MAX_AHEAD_MILLISECONDS)
_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = re.compile(
    _DATE + r"[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
_DATE_ALONE = re.compile(_DATE)
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]+)?")


def read_time(value: object, connection: Connection, arrived: datetime, *, date_alone: bool = False) -> datetime:
    """Return the time in UTC, cut to microseconds.

    One without an offset is in the connection's time zone. With `date_alone`, a date is its midnight. Days before
    months and the like are never guessed. Raises Rejected: `bad_time`, `no_offset`, `time_out_of_range`.
    """
    try:
        time = _read(value, connection, date_alone)
    except OverflowError:
        raise _out_of_range() from None
    if not EARLIEST <= time <= arrived + _MAX_AHEAD:
        raise _out_of_range()
    return time


def _read(value: object, connection: Connection, date_alone: bool) -> datetime:
    if isinstance(value, str):
        text = value.strip()
        if match := _TIME.fullmatch(text):
            return _from_parts(match, connection)
        if date_alone and (match := _DATE_ALONE.fullmatch(text)):
            return _in_zone(_naive(*map(int, match.groups())), connection)
        if _NUMBER.fullmatch(text):
            return _from_number(Decimal(text))
    elif isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        return _from_number(Decimal(repr(value)) if abs(value) < 10**20 else Decimal("Infinity"))
    raise Rejected("bad_time", "The time is not like 2025-07-14T10:30:00Z, and no seconds or milliseconds since 1970")


def _from_parts(match: re.Match[str], connection: Connection) -> datetime:
    year, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = match.groups()
    time = _naive(
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        int(second or 0),
        int((fraction or "0")[:6].ljust(6, "0")),
    )
    if zulu:
        return time.replace(tzinfo=UTC)
    if not sign:
        return _in_zone(time, connection)
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if offset >= timedelta(days=1) or int(minutes or 0) > 59:
        raise _no_such_time()
    return time.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)


def _naive(*parts: int) -> datetime:
    try:
        return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - the zone follows
    except ValueError:
        raise _no_such_time() from None


def _in_zone(time: datetime, connection: Connection) -> datetime:
    if connection.timezone is None:
        raise Rejected("no_offset", "The time has no offset from UTC. Give the connection its time zone")
    return time.replace(tzinfo=local_zone(connection.timezone)).astimezone(UTC)


def _from_number(number: Decimal) -> datetime:
    if not number.is_finite():
        raise _out_of_range()
    seconds = number / 1000 if number >= MILLISECONDS_FROM else number
    return _EPOCH + timedelta(microseconds=int(seconds * 10**6))


def _no_such_time() -> Rejected:
    return Rejected("bad_time", "There is no such date, hour or offset")


def _out_of_range() -> Rejected:
    return Rejected(
        "time_out_of_range", "The time is before 2000, or more than 5 minutes ahead of the record's arrival"
    )
