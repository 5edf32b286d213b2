"""Keys of lessons."""

Lesson = tuple[int, int]
"""(topic_id, lesson_id)"""

LessonKey = tuple[int, int, int]
"""(user_course_id, topic_id, lesson_id)"""


def lesson_parameters(key: LessonKey) -> dict[str, object]:
    """Return the key as parameters of a statement."""
    return dict(zip(("user_course_id", "topic_id", "lesson_id"), key, strict=True))
