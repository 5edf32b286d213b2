"""The summary of an enrolment, computed on the spot."""

from dataclasses import dataclass

from sqlalchemy import Engine

from worker.domain.outline import Lesson
from worker.domain.summary import Summary, summarise
from worker.errors import InputError
from worker.storage.summary import read_enrollment

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TitledSummary:
    """A summary, and the titles of the outline's lessons for people to read."""

    summary: Summary
    titles: dict[Lesson, str | None]


def get_summary(engine: Engine, user_course_id: int) -> TitledSummary:
    """Read and compute, in one query. Raises InputError for an id that is no enrolment."""
    if not 1 <= user_course_id <= LARGEST_ID:
        raise InputError(f"{user_course_id} is no enrolment id: ids are whole numbers from 1 on.")
    with engine.connect() as connection:
        state = read_enrollment(connection, user_course_id)
    if state is None:
        raise InputError(
            f"There is no enrolment {user_course_id}. Its events may be waiting for it: "
            "see `progress-worker dead-letters list --reason unknown_enrollment`."
        )
    return TitledSummary(summarise(user_course_id, state.outline, state.rows, state.place), state.titles)
