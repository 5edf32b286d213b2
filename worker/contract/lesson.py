"""Keys of lessons."""

Lesson = tuple[int, int]
"""(topic_id, lesson_id)"""

LessonKey = tuple[int, int, int]
"""(user_course_id, topic_id, lesson_id)"""
