"""The lesson with which a learner continues."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.contract.lesson import Lesson


class NextReason(StrEnum):
    """Why a lesson is the next one."""

    CURRENT = "current"
    AFTER_CURRENT = "after_current"
    NOT_COMPLETED = "not_completed"


@dataclass(frozen=True, slots=True)
class NextLesson:
    """The lesson to continue with, and why."""

    topic_id: int
    lesson_id: int
    reason: NextReason


def next_lesson(outline: Sequence[Lesson], current: Lesson | None, completed: Collection[Lesson]) -> NextLesson | None:
    """Return the current lesson unless it is completed; else the first incomplete one after it, in outline order.

    Else, or without a current lesson in the outline, the first incomplete one of all; else None. Reading a completed
    lesson again makes it current, but completed lessons after it are skipped, so no learner is sent back.
    """
    if current is not None and current in outline:
        for lesson in outline[outline.index(current) :]:
            if lesson not in completed:
                return NextLesson(*lesson, NextReason.CURRENT if lesson == current else NextReason.AFTER_CURRENT)
    for lesson in outline:
        if lesson not in completed:
            return NextLesson(*lesson, NextReason.NOT_COMPLETED)
    return None
