"""What a progress row shows without a voided event. Pure."""

from dataclasses import replace

from worker.contract.event import LedgerEvent, LessonCompleted, ProgressCorrected
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress


def without(row: Progress | None, event: LedgerEvent) -> Progress | None:
    """Return the row without what this event contributed; None if nothing is left.

    The rest comes from events that retention may have deleted.
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
