"""A course's outline, and where in it a learner goes on."""

from collections.abc import Collection, Sequence

Lesson = tuple[int, int]
"""(topic_id, lesson_id)"""


def next_lesson(outline: Sequence[Lesson], current: Lesson | None, completed: Collection[Lesson]) -> Lesson | None:
    """The lesson to resume with: the first after the current one, in outline order, that is not completed.

    Else the first not completed at all; else None. Where there is no current lesson, or it left the outline, nothing is
    after it: the first not completed. Re-reading an old lesson makes that one current, yet what is completed after it
    is passed over, so nobody is sent back.
    """
    after = outline.index(current) + 1 if current is not None and current in outline else 0
    for lesson in (*outline[after:], *outline[:after]):
        if lesson not in completed:
            return lesson
    return None
