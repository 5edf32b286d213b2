"""The live outline of a course, as stored."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.contract.lesson import Lesson

_READ = text("""
    SELECT id, version, outlined_at,
           (SELECT jsonb_agg(jsonb_build_array(topic_id, lesson_id, title) ORDER BY ordinal)
            FROM course_lesson WHERE course_id = course.id) AS lessons,
           (SELECT jsonb_agg(jsonb_build_array(from_topic_id, from_lesson_id, topic_id, lesson_id))
            FROM moved_lesson WHERE course_id = course.id) AS moved
    FROM course WHERE id = ANY(CAST(:course_ids AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class StoredOutline:
    """The live outline of a course: its lessons in order, with their titles."""

    course_id: int
    version: int
    outlined_at: datetime
    titles: dict[Lesson, str | None]
    moved: dict[Lesson, Lesson]
    """The lesson at each earlier place of one."""

    def moved_from(self, lesson: Lesson) -> list[Lesson]:
        """Return the lesson's earlier places, by topic and lesson."""
        return sorted(old for old, new in self.moved.items() if new == lesson)

    @property
    def lessons(self) -> list[Lesson]:
        """The lessons in order."""
        return list(self.titles)

    @property
    def ordinals(self) -> dict[Lesson, int]:
        """The ordinal of each lesson, from 1, also by each of its earlier places."""
        ordinals = {lesson: number for number, lesson in enumerate(self.titles, 1)}
        return ordinals | {old: ordinals[new] for old, new in self.moved.items()}


def read_outlines(connection: Connection, course_ids: Collection[int | None]) -> dict[int | None, StoredOutline]:
    """Read the outlines of these courses; those without one, not even an empty one, are left out."""
    wanted = [course_id for course_id in course_ids if course_id is not None]
    return {
        row.id: StoredOutline(
            row.id,
            row.version,
            row.outlined_at,
            {(topic, lesson): title for topic, lesson, title in row.lessons or ()},
            {(old_topic, old): (topic, lesson) for old_topic, old, topic, lesson in row.moved or ()},
        )
        for row in connection.execute(_READ, {"course_ids": wanted})
    }
