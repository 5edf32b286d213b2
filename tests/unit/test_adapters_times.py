"""Times and durations as learning systems write them."""

from datetime import UTC, datetime

import pytest

from tests.support.statements import ARRIVED, CONNECTION, shown
from worker.adapters.durations import read_duration
from worker.adapters.outcome import Rejected
from worker.adapters.times import read_time

TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)


def _read(value: object, zone: str | None = None, *, date_alone: bool = False) -> datetime | str:
    connection = CONNECTION.model_copy(update={"timezone": zone})
    try:
        return read_time(value, connection, ARRIVED, date_alone=date_alone)
    except Rejected as rejected:
        return rejected.reason


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-01T10:00:00Z",
        "2025-03-01t10:00:00z",
        "2025-03-01 10:00:00Z",
        "2025-03-01T10:00Z",
        "2025-03-01T10:00:00.000Z",
        "2025-03-01T10:00:00,000Z",
        "2025-03-01T10:00:00.0000009Z",
        "2025-03-01T10:00:00+00:00",
        "2025-03-01T10:00:00-00:00",
        "2025-03-01T15:30:00+05:30",
        "2025-03-01T15:30:00+0530",
        "2025-03-01T15:00:00+05",
        "2025-03-01 04:30-05:30",
        " 2025-03-01T10:00:00Z\n",
        1740823200,
        1740823200.0,
        1740823200000,
        "1740823200",
        "1740823200000",
    ],
    ids=shown,
)
def test_one_time(value: object) -> None:
    assert _read(value) == TEN


@pytest.mark.parametrize(
    ("value", "microsecond"),
    [
        ("2025-03-01T10:00:00.1Z", 100_000),
        ("2025-03-01T10:00:00,123456789Z", 123_456),
        (1740823200123, 123_000),
        (1740823200.500832, 500_832),
        ("1740823200.25", 250_000),
        (1740823200123.456, 123_456),
    ],
    ids=shown,
)
def test_fractions_are_cut_to_microseconds(value: object, microsecond: int) -> None:
    assert _read(value) == TEN.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    "value",
    [
        *("03/04/2024", "3.4.2024 10:00", "2025-03-01T10:00:00 UTC", "20250301T100000Z", "2025-W09-6", "2025-060"),
        *("2025-3-1T10:00:00Z", "2025-03-01T10Z", "2025-03-01", "yesterday", "", "Z", "2025-03-01T10:00:00Zulu"),
        *("2025-02-30T10:00:00Z", "2025-13-01T10:00:00Z", "2025-03-01T24:00:00Z", "2025-03-01T10:60:00Z"),
        *("0000-01-01T00:00:00Z", "2025-03-01T10:00:00+24:00", "2025-03-01T10:00:00+05:60", "2025-03-01T10:00:00.Z"),
        *("\uff12\uff10\uff12\uff15-03-01T10:00:00Z", "1e12", "+1740823200", "1" * 5_000, "\ud800", "\0"),
        *(None, True, False, [], {}, ["2025-03-01T10:00:00Z"], float("nan")),
    ],
    ids=shown,
)
def test_unreadable(value: object) -> None:
    assert _read(value, "Europe/London") == "bad_time"


@pytest.mark.parametrize(
    "value",
    [
        *("1999-12-31T23:59:59.999999Z", "2000-01-01T00:59:59+01:00", "0001-01-01T00:00:00+23:00"),
        *("2026-11-30T00:05:00.000001Z", "9999-12-31T23:59:59-23:00", 0, -1, "-1", 946684799, 10**11 - 1, 10**17),
        *(10**400, -(10**400), 1e300, float("inf"), float("-inf"), "20250301"),
    ],
    ids=shown,
)
def test_out_of_range(value: object) -> None:
    assert _read(value) == "time_out_of_range"


def test_limits_of_the_range() -> None:
    assert _read("2000-01-01T00:00:00Z") == datetime(2000, 1, 1, tzinfo=UTC)
    assert _read("2026-11-30T00:05:00Z") == datetime(2026, 11, 30, 0, 5, tzinfo=UTC)
    assert _read(10**11) == "time_out_of_range"  # 1973
    assert _read(946684800000) == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2025-03-01T10:00:00", None, "no_offset"),
        ("2025-03-01 10:00", None, "no_offset"),
        ("2025-03-01T15:30:00", "Asia/Kolkata", TEN),
        ("2025-07-01 11:00:00.5", "Europe/London", datetime(2025, 7, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2025-10-26T01:30:00", "Europe/London", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),  # the earlier of two
        ("2025-03-01T10:00:00Z", "Asia/Kolkata", TEN),
    ],
    ids=shown,
)
def test_without_an_offset(value: str, zone: str | None, expected: datetime | str) -> None:
    assert _read(value, zone) == expected


def test_a_date_alone() -> None:
    assert _read("2025-03-01", "Asia/Kolkata", date_alone=True) == datetime(2025, 2, 28, 18, 30, tzinfo=UTC)
    assert _read("2025-03-01", date_alone=True) == "no_offset"
    assert _read("2025-02-29", "UTC", date_alone=True) == "bad_time"
    assert _read("01.03.2025", "UTC", date_alone=True) == "bad_time"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("PT8.96S", 8), ("PT0,5S", 0), ("PT0S", 0), ("PT1M", 60), ("PT2H30M5S", 9_005), ("PT24H", 86_400)),
        *(("P1D", 86_400), ("P0DT1H", 3_600), ("P0W", 0), ("PT86400.9S", 86_400), ("PT0H0M8.96S", 8)),
        *(("PT1.5H", 5_400), ("PT90M", 5_400), ("PT59.9999999999999999999S", 59)),
    ],
    ids=shown,
)
def test_durations(value: str, seconds: int) -> None:
    assert read_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("P1Y", "P1M", "P1Y2M3DT4H5M6.7S", "P1DT1S", "P1W", "PT86401S", "-PT1S", "PT-1S", "+PT1S", "P", "PT", "P1DT"),
        *("00:08:00", "8", "8 minutes", "", "pt8s", "PT8", "PT8S ", "PT8S\n", "PT1S1M", "P1W1D", "PT1.5H1M", "PT.5S"),
        *(480, 4.5, None, True, [], {}, ["PT8S"], "PT" + "9" * 5_000 + "S", "PT\u0663S", "\ud800"),
    ],
    ids=shown,
)
def test_no_durations(value: object) -> None:
    assert read_duration(value) is None
