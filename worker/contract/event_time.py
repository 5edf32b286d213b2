"""The limits of event times."""

from datetime import UTC, datetime

from worker.contract.entry import Reason, Rejection

EARLIEST_TIME = datetime(1980, 1, 1, tzinfo=UTC)
LATEST_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Beyond any clock. Later times could exceed the last valid year after applying an offset."""
MAX_AHEAD_MILLISECONDS = 5 * 60 * 1000


def refuse_ahead(time: datetime, arrived_milliseconds: float) -> None:
    """Raise Rejection for a time more than 5 minutes ahead of the arrival: it would win every maximum."""
    if time.timestamp() * 1000 > arrived_milliseconds + MAX_AHEAD_MILLISECONDS:
        raise Rejection(Reason.TIME_OUT_OF_RANGE, f"{time.isoformat()} is more than 5 minutes ahead of its arrival")
