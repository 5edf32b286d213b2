"""The ranges of ids. Each starts at 1."""

from worker.errors import InputError

MAX_ID = 2**63 - 1
"""Largest id of an enrollment or a course: PostgreSQL's bigint."""
MAX_LESSON_ID = 2**31 - 1
"""Largest id of a user, topic, lesson or section: PostgreSQL's integer."""
BELOW_ALL_IDS = -(2**63)
"""The lower end of bigint, where pages through all ids start: an LMS may have inserted ids below 1."""


def require_enrollment_id(user_course_id: int) -> None:
    """Raise InputError for a number that cannot be an enrollment id."""
    if not 1 <= user_course_id <= MAX_ID:
        raise InputError(f"{user_course_id} is not an enrollment id: ids are whole numbers from 1.")
