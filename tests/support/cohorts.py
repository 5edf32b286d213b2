"""Events without end that can be checked piece by piece: cohorts, each a course of its own with its learners."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from sqlalchemy import Engine

from tests.support import oulad
from tests.support.model import assert_rows_equal_model, expected_state
from tests.support.rollups import assert_rollups_equal_model
from tests.support.tables import rows

EVENTS = 4_000
LEARNERS = 40
OPEN = 8
"""Cohorts whose events come at the same time."""


@dataclass(frozen=True)
class Cohort:
    """Everything about it follows from the run's seed and its number, from 0."""

    seed: int
    number: int

    @cached_property
    def lines(self) -> list[bytes]:
        """Outline, enrollments and lesson events, in order of time."""
        first_id, _ = self.enrollments
        seed = self.seed * 1_000_000 + self.number
        return oulad.generate(EVENTS, learners=LEARNERS, seed=seed, first_id=first_id, course_id=self.courses[0])

    @property
    def enrollments(self) -> tuple[int, int]:
        """The first id and the last."""
        return self.number * LEARNERS + 1, (self.number + 1) * LEARNERS

    @property
    def courses(self) -> tuple[int, int]:
        """Its course, as the first id and the last."""
        return self.number + 1, self.number + 1

    @property
    def lesson_events(self) -> int:
        """How many of the lines go to the ledger."""
        return len(self.lines) - LEARNERS - 1

    def assert_exact(self, engine: Engine) -> None:
        """Its rows, time spent, summaries and statistics are those of the plain-Python model."""
        events = oulad.parse(self.lines)
        state = expected_state(events)
        assert_rows_equal_model(engine, events, state, enrollments=self.enrollments, courses=self.courses)
        assert_rollups_equal_model(engine, state, self.enrollments, self.courses)

    def lost(self, engine: Engine) -> int:
        """How many of its events the ledger does not have."""
        expected = set(expected_state(oulad.parse(self.lines)).ledger)
        first, last = self.enrollments
        sql = "SELECT user_course_id, event_id::text FROM lesson_event WHERE user_course_id BETWEEN :first AND :last"
        return len(expected - set(rows(engine, sql, first=first, last=last)))


class Cohorts:
    """Lines of several cohorts at once, in order within each; when one is over the next begins."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chance = random.Random(seed)
        self._numbers = count()
        self._open = [self._begin() for _ in range(OPEN)]
        self.begun = OPEN

    def take(self, number: int) -> list[bytes]:
        """The next so many lines."""
        return [self._next() for _ in range(number)]

    def rest(self) -> list[bytes]:
        """What is left of the cohorts that have begun; no others begin."""
        return [line for lines in self._open for line in lines]

    def all(self) -> list[Cohort]:
        """Every cohort that has begun."""
        return [Cohort(self._seed, number) for number in range(self.begun)]

    def _next(self) -> bytes:
        place = self._chance.randrange(OPEN)
        line = next(self._open[place], None)
        if line is None:
            self._open[place] = self._begin()
            self.begun += 1
            line = next(self._open[place])
        return line

    def _begin(self) -> Iterator[bytes]:
        return iter(Cohort(self._seed, next(self._numbers)).lines)
