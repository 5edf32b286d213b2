"""Correct a row by hand: the complete snapshot that a `progress.corrected` event carries."""

from datetime import datetime, timedelta
from typing import TypedDict

from worker.contract.entry import Reason, Rejection
from worker.contract.event_time import refuse_ahead
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress


class Changes(TypedDict, total=False):
    """The members to set; a missing one keeps its value, a time of None is removed."""

    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None


def corrected(row: Progress, changes: Changes, now: datetime, latest: datetime | None = None) -> Progress:
    """Return the row with the changes applied consistently; `corrected_at` is unchanged.

    A `completed_at` without a status implies `completed`; `completed` without a time gets `now` and counts as a view;
    any other status has no `completed_at`. `in_progress` without a known view counts as a view `now`, unless the time
    is explicitly None. Raises Rejection if the changes contradict each other, or if a time has no offset or is more
    than 5 minutes ahead of `latest`, by default `now`.
    """
    for time in (changes.get("last_viewed_at"), changes.get("completed_at")):
        if time is not None:
            if time.utcoffset() is None:
                raise Rejection(Reason.INVALID_EVENT, f"{time.isoformat()} has no offset")
            refuse_ahead(time, (latest or now).timestamp() * 1000)
    implied = row.status if changes.get("completed_at") is None else ProgressStatus.COMPLETED
    status = ProgressStatus(changes.get("status", implied))
    last_viewed_at = changes.get("last_viewed_at", row.last_viewed_at)
    if status is not ProgressStatus.COMPLETED:
        if changes.get("completed_at") is not None:
            raise Rejection(
                Reason.INVALID_EVENT,
                f"completed_at: only a completed lesson has one, but the status is {status}; set status to completed",
            )
        if status is ProgressStatus.IN_PROGRESS and "status" in changes and "last_viewed_at" not in changes:
            last_viewed_at = last_viewed_at or now
        return Progress(status, last_viewed_at, None, row.corrected_at)
    completed_at = changes.get("completed_at", row.completed_at) or now
    if "last_viewed_at" not in changes or last_viewed_at is None:
        last_viewed_at = max(filter(None, (last_viewed_at, completed_at)))
    return Progress(status, last_viewed_at, completed_at, row.corrected_at)


def repeats(snapshot: Progress, changes: Changes, now: datetime, latest: datetime | None = None) -> bool:
    """Return whether the snapshot may result from these changes, that is, has every value that they set.

    A `completed_at` of None is ignored: it was filled in, or there is none.
    """
    again = changes.copy()
    if again.get("completed_at") is None:
        again.pop("completed_at", None)
    try:
        return corrected(snapshot, again, now, latest) == snapshot
    except Rejection:
        return False


def correction_time(now: datetime, latest_known: datetime | None) -> datetime:
    """Return a time at which a correction overrides everything known of its lesson, whatever its event id."""
    return now if latest_known is None else max(now, latest_known + timedelta(microseconds=1))
