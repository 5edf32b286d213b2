"""Everything that the summary of one enrolment is made of, in one query."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.domain.outline import Lesson
from worker.domain.status import ProgressStatus
from worker.domain.summary import Place

_READ = text("""
    SELECT enrolment.current_topic, enrolment.current_lesson, enrolment.current_section, enrolment.position_at,
           (SELECT jsonb_agg(jsonb_build_array(topic_id, lesson_id, status))
            FROM user_course_progress WHERE user_course_id = enrolment.id) AS progress,
           course.id IS NOT NULL AS outlined,
           (SELECT jsonb_agg(jsonb_build_array(topic_id, lesson_id, title) ORDER BY ordinal)
            FROM course_lesson WHERE course_id = course.id) AS outline
    FROM user_course AS enrolment LEFT JOIN course ON course.id = enrolment.course_id
    WHERE enrolment.id = :user_course_id
""")


@dataclass(frozen=True, slots=True)
class EnrollmentState:
    """An enrolment's position, its rows, and its course's outline in order (None: the course has none)."""

    place: Place
    rows: dict[Lesson, ProgressStatus]
    outline: list[Lesson] | None
    titles: dict[Lesson, str | None]


def read_enrollment(connection: Connection, user_course_id: int) -> EnrollmentState | None:
    """The enrolment as one statement sees it, or None when there is none."""
    row = connection.execute(_READ, {"user_course_id": user_course_id}).one_or_none()
    if row is None:
        return None
    titles = {(topic, lesson): title for topic, lesson, title in row.outline or ()}
    return EnrollmentState(
        place=Place(row.current_topic, row.current_lesson, row.current_section, row.position_at),
        rows={(topic, lesson): ProgressStatus(status) for topic, lesson, status in row.progress or ()},
        outline=list(titles) if row.outlined else None,
        titles=titles,
    )
