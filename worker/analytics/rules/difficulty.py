"""How difficult a lesson is beside the others of its course."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from worker.contract.lesson import Lesson


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for a difficulty: what the learners of a lesson show of it; None where it is not known.

    `learners` are those who started it, `drop_off` is as in `worker.analytics.rules.stuck`.
    """

    learners: int
    median_seconds: float | None
    median_visits_to_complete: float | None
    drop_off: float | None


@dataclass(frozen=True, slots=True)
class Difficulty:
    """0 is the easiest a lesson could be, ½ as difficult as the course, 1 never reached; and on how many it rests."""

    value: float
    learners: int


_PARTS: tuple[Callable[[Signs], float | None], ...] = (
    lambda figures: figures.median_seconds,
    lambda figures: figures.median_visits_to_complete,
    lambda figures: figures.drop_off,
)


def difficulties(figures: Mapping[Lesson, Signs], min_learners: int) -> dict[Lesson, Difficulty]:
    """The difficulty of each lesson of a course: the mean of its known parts.

    The parts are median time, median visits to complete, and drop-off. Each is put against the course as

        figure / (figure + the mean of that figure over the course's lessons)

    so what is like the course is ½, twice as much ⅔, three times ¾, nothing 0; where all lessons have 0, they are alike
    and ½. More of any figure never makes a lesson easier. A lesson under `min_learners` learners has no difficulty
    and no part in the means, nor has one of which no figure is known; a lesson alone is like its course, ½.
    """
    rated = {lesson: each for lesson, each in figures.items() if each.learners >= min_learners}
    parts: dict[Lesson, list[float]] = {}
    for part in _PARTS:
        values = {lesson: value for lesson, each in rated.items() if (value := part(each)) is not None}
        mean = fmean(values.values()) if values else 0
        for lesson, value in values.items():
            parts.setdefault(lesson, []).append(value / (value + mean) if mean else 0.5)
    return {lesson: Difficulty(fmean(its), rated[lesson].learners) for lesson, its in parts.items()}
