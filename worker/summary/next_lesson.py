"""Where in a course's outline a learner goes on."""

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
    """The lesson to resume with, and why that one."""

    topic_id: int
    lesson_id: int
    reason: NextReason


def next_lesson(outline: Sequence[Lesson], current: Lesson | None, completed: Collection[Lesson]) -> NextLesson | None:
    """The current lesson while it is not completed; else the first not completed after it, in outline order.

    Else the first not completed at all; else None. Where there is no current lesson, or it left the outline, nothing is
    after it: the first not completed. Reading a completed lesson again makes that one current, yet what is completed
    after it is passed over, so nobody is sent back.
    """
    if current is not None and current in outline:
        for lesson in outline[outline.index(current) :]:
            if lesson not in completed:
                return NextLesson(*lesson, NextReason.CURRENT if lesson == current else NextReason.AFTER_CURRENT)
    for lesson in outline:
        if lesson not in completed:
            return NextLesson(*lesson, NextReason.NOT_COMPLETED)
    return None
