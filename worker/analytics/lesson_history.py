"""The history of one lesson for one learner: visits, and corrections by hand."""

from sqlalchemy import Engine

from worker.analytics.rules.visit_history import LessonVisits
from worker.analytics.stored_visits import read_lesson, read_visit_history
from worker.contract.id_ranges import MAX_LESSON_ID, require_enrollment_id
from worker.database.engine import snapshot
from worker.errors import InputError, unknown_enrollment


def lesson_history(
    engine: Engine, user_course_id: int, topic_id: int, lesson_id: int, idle_cutoff_seconds: float
) -> LessonVisits:
    """Return the history, from three queries over one snapshot; empty if the lesson was never touched.

    A gap of at least the cut-off separates visits. All visits and corrections are counted, and the last 1,000 of each
    listed. Raises InputError for an invalid id, and NotFoundError if the enrollment does not exist.
    """
    require_enrollment_id(user_course_id)
    for name, part in (("topic", topic_id), ("lesson", lesson_id)):
        if not 1 <= part <= MAX_LESSON_ID:
            raise InputError(f"{part} is not a {name} id: ids are whole numbers from 1 to {MAX_LESSON_ID}.")
    key = (user_course_id, topic_id, lesson_id)
    with snapshot(engine) as connection:
        lesson = read_lesson(connection, key)
        if lesson is None:
            raise unknown_enrollment(user_course_id)
        history = read_visit_history(connection, key, lesson.completed_at, idle_cutoff_seconds)
    return LessonVisits(
        *key,
        title=lesson.title,
        status=lesson.status,
        completed_at=lesson.completed_at,
        history=history,
        history_from=lesson.history_from,
    )
