"""What the learners of each course show together, as plain Python computes it from the events."""

from collections.abc import Mapping

from tests.support.activity import history_of
from worker.domain.activity import Activity
from worker.domain.figures import CourseFigures, Enrolled, course_figures
from worker.domain.progress import State
from worker.domain.stuck import StuckRules
from worker.domain.summary import live_lessons


def expected_figures(state: State, activities: Mapping[int, Activity], rules: StuckRules) -> dict[int, CourseFigures]:
    """The figures of every course that has an outline or an enrolment, whose activity is given."""
    enrolled: dict[int, list[Enrolled]] = {course_id: [] for course_id in state.outlines}
    for key, event in state.enrollments.items():
        history = history_of(state, key, activities[key])
        learner = Enrolled(history, activities[key], event.data.timezone)
        enrolled.setdefault(event.data.course_id, []).append(learner)
    return {
        course_id: course_figures(its, live_lessons(state, course_id), rules) for course_id, its in enrolled.items()
    }
