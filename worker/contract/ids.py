"""The ranges of ids."""

from worker.errors import InputError

MAX_ID = 2**63 - 1
"""Of enrollments and courses: PostgreSQL's bigint."""


def require_enrollment_id(user_course_id: int) -> None:
    """Raise InputError for a number that cannot be an enrollment id."""
    if not 1 <= user_course_id <= MAX_ID:
        raise InputError(f"{user_course_id} is no enrollment id: ids are whole numbers from 1 on.")
