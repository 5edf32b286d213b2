"""The position of an enrollment in its course: the current topic, lesson and section."""

from dataclasses import dataclass, replace
from datetime import datetime

from worker.contract.lesson import Lesson
from worker.progress.moved_lessons import Moved


@dataclass(frozen=True, slots=True)
class CurrentLesson:
    """The position of an enrollment; all None before its first lesson event."""

    topic_id: int | None = None
    lesson_id: int | None = None
    section_id: int | None = None
    at: datetime | None = None

    @property
    def lesson(self) -> Lesson | None:
        """The lesson, if there is one."""
        return None if self.topic_id is None or self.lesson_id is None else (self.topic_id, self.lesson_id)

    def moved(self, moved: Moved) -> "CurrentLesson":
        """Return the position with its lesson's new place, if it has moved."""
        if self.lesson is None or self.lesson not in moved:
            return self
        topic_id, lesson_id = moved[self.lesson]
        return replace(self, topic_id=topic_id, lesson_id=lesson_id)
