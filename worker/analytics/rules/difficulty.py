"""How difficult a lesson is compared with the others of its course."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from worker.contract.lesson import Lesson


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of difficulty that a lesson's learners show, None where unknown.

    `learners` is the number who started it; `drop_off` is defined in `worker.analytics.rules.stuck`.
    """

    learners: int
    median_seconds: float | None
    median_visits_to_complete: float | None
    drop_off: float | None


@dataclass(frozen=True, slots=True)
class Difficulty:
    """A difficulty from 0, the easiest, over ½, average for the course, to below 1; `learners` started the lesson."""

    value: float
    learners: int


_PARTS: tuple[Callable[[Signs], float | None], ...] = (
    lambda signs: signs.median_seconds,
    lambda signs: signs.median_visits_to_complete,
    lambda signs: signs.drop_off,
)


def difficulties(signs: Mapping[Lesson, Signs], min_learners: int) -> dict[Lesson, Difficulty]:
    """Return the difficulty of each lesson of a course: the mean of its known parts.

    The parts are median time, median visits to complete, and drop-off, each relative to the course:

        sign / (sign + the mean of that sign over the course's lessons)

    The course's average is ½, twice as much ⅔, three times ¾, and 0 is 0; if every lesson has 0, each is ½. A larger
    sign never makes a lesson easier. A lesson with fewer than `min_learners` learners or without any known sign has no
    difficulty and does not count in the means. A single lesson is ½.
    """
    rated = {lesson: each for lesson, each in signs.items() if each.learners >= min_learners}
    parts: dict[Lesson, list[float]] = {}
    for part in _PARTS:
        values = {lesson: value for lesson, each in rated.items() if (value := part(each)) is not None}
        mean = fmean(values.values()) if values else 0
        for lesson, value in values.items():
            parts.setdefault(lesson, []).append(value / (value + mean) if mean else 0.5)
    return {lesson: Difficulty(fmean(its), rated[lesson].learners) for lesson, its in parts.items()}
