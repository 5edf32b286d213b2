"""Lessons that have moved within an outline: events at the old place count for the lesson."""

from collections.abc import Iterable, Mapping

from worker.contract.event import OutlineLesson
from worker.contract.lesson import Lesson

Moved = Mapping[Lesson, Lesson]
"""Old place → place in the live outline."""


def moved_lessons(outline: Iterable[OutlineLesson]) -> dict[Lesson, Lesson]:
    """Map each earlier place to the live one.

    A place that the outline lists stays that lesson's own; of several lessons that claim one place, the first gets it.
    """
    lessons = list(outline)
    live = {(lesson.topic_id, lesson.lesson_id) for lesson in lessons}
    moved: dict[Lesson, Lesson] = {}
    for lesson in lessons:
        for place in lesson.moved_from or ():
            if (place.topic_id, place.lesson_id) not in live:
                moved.setdefault((place.topic_id, place.lesson_id), (lesson.topic_id, lesson.lesson_id))
    return moved
