"""What a row says without an event that is taken out of the ledger."""

from dataclasses import replace

from worker.contract.event import LedgerEvent, LessonCompleted, ProgressCorrected
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress


def without(row: Progress | None, event: LedgerEvent) -> Progress | None:
    """The row without what it has from this event: what events that retention deleted said, as far as that is known.

    None where that is nothing.
    """
    if row is None:
        return None
    if isinstance(event, ProgressCorrected):
        return None if row.corrected_at == event.time else row
    if row.section and row.section.order[3] == event.event_id:
        row = replace(row, section=None)
    if row.last_viewed_at == event.time:
        row = replace(row, last_viewed_at=None)
    if isinstance(event, LessonCompleted) and row.completed_at == event.time:
        row = replace(row, status=ProgressStatus.IN_PROGRESS, completed_at=None)
    return row
