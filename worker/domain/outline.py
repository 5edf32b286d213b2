"""A course's outline, and where in it a learner goes on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

Lesson = tuple[int, int]
"""(topic_id, lesson_id)"""


class NextReason(StrEnum):
    """Why a lesson is the next one."""

    AFTER_CURRENT = "after_current"
    NOT_COMPLETED = "not_completed"

    @property
    def words(self) -> str:
        """For people."""
        if self is NextReason.AFTER_CURRENT:
            return "first not completed after the current one"
        return "first not completed of the course"


@dataclass(frozen=True, slots=True)
class NextLesson:
    """The lesson to resume with, and why that one."""

    topic_id: int
    lesson_id: int
    reason: NextReason

    def __str__(self) -> str:
        return f"lesson {self.lesson_id} of topic {self.topic_id}: {self.reason.words}"


def next_lesson(outline: Sequence[Lesson], current: Lesson | None, completed: Collection[Lesson]) -> NextLesson | None:
    """The first lesson after the current one, in outline order, that is not completed.

    Else the first not completed at all; else None. Where there is no current lesson, or it left the outline, nothing is
    after it: the first not completed. Re-reading an old lesson makes that one current, yet what is completed after it
    is passed over, so nobody is sent back.
    """
    after = outline.index(current) + 1 if current is not None and current in outline else 0
    if after:
        for lesson in outline[after:]:
            if lesson not in completed:
                return NextLesson(*lesson, NextReason.AFTER_CURRENT)
    for lesson in outline:
        if lesson not in completed:
            return NextLesson(*lesson, NextReason.NOT_COMPLETED)
    return None
