"""The history of one lesson for one learner: each visit, and what was set by hand."""

from sqlalchemy import Engine

from worker.analytics.rules.visit_history import LessonVisits
from worker.analytics.stored_visits import read_lesson, read_visit_history
from worker.contract.ids import require_enrollment_id
from worker.database.engine import snapshot
from worker.errors import InputError, unknown_enrollment

_LARGEST_PART = 2**31 - 1


def lesson_history(
    engine: Engine, user_course_id: int, topic_id: int, lesson_id: int, idle_cutoff_seconds: float
) -> LessonVisits:
    """The history as of now, from three queries over one moment; empty for a lesson that was never touched.

    Visits are parted by at least the cut-off. The last 1,000 are shown one by one, all are counted; so are corrections.
    Raises InputError for what is no id, and NotFoundError where there is no enrollment.
    """
    require_enrollment_id(user_course_id)
    for name, part in (("topic", topic_id), ("lesson", lesson_id)):
        if not 1 <= part <= _LARGEST_PART:
            raise InputError(f"{part} is no {name} id: ids are whole numbers from 1 to {_LARGEST_PART}.")
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
