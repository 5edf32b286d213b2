"""Enroll a named learner because of an event: the enrollment that no `enrollment.created` has told yet.

It is older than any real one, so every real one is later and rules. It is not recorded as an event, so that the time
zones of an enrollment are those of its real events, whether they came before or after.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from worker.connections import find_connection
from worker.contract.batch import LearnerOfCourse
from worker.contract.event import Enrollment, EnrollmentCreated

ENROLLED_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""Before EARLIEST_TIME, which bounds the real ones."""


def auto_enrollments(enrolling: Mapping[int, LearnerOfCourse], known: Collection[int]) -> list[EnrollmentCreated]:
    """Return an event for each of these enrollments that is not known, in the connection's time zone, else UTC."""
    return [_enrollment(key, its) for key, its in enrolling.items() if key not in known]


def _enrollment(user_course_id: int, its: LearnerOfCourse) -> EnrollmentCreated:
    data = Enrollment.model_construct(
        user_course_id=user_course_id,
        user_id=its.user_id,
        course_id=its.course_id,
        timezone=find_connection(its.source).timezone or "UTC",
    )
    return EnrollmentCreated.model_construct(
        id=f"auto/{user_course_id}", source=its.source, time=ENROLLED_AT, sequence=None, untimed=None, data=data
    )
