"""The events that every contender gets, and the rows that must come of them."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from tests.support import oulad
from tests.support.events import body, enrolled
from tests.support.model import expected_state
from tests.support.tables import rows

CLASSES = 10
LEARNERS = 40
"""In each class. About what the Open University's log has: 400 learners, the busiest with 2 % of the events."""
WARM_UP = 200
"""Events that each contender records before the clock starts."""

_PROGRESS = """
    SELECT user_course_id, topic_id, lesson_id, status::text, last_viewed_at, completed_at
    FROM user_course_progress WHERE lesson_id <= :last_lesson ORDER BY user_course_id, topic_id, lesson_id
"""
# Without the section: that the one told last for the lesson stays is more than a task with SQL of its own does.
_POSITIONS = """
    SELECT id, current_topic, current_lesson, position_at, position_event_id
    FROM user_course WHERE position_at IS NOT NULL ORDER BY id
"""

LAST_LESSON = 999
"""No event here is of a higher one: such rows were there before."""

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Log:
    """Enrollments, which are recorded beforehand; lesson events to warm up with; those timed. One JSON each."""

    enrollments: Sequence[bytes]
    warm_up: Sequence[bytes]
    timed: Sequence[bytes]

    def first(self, count: int) -> "Log":
        """The same with so many timed events."""
        return Log(self.enrollments, self.warm_up, self.timed[:count])

    @cached_property
    def expected(self) -> tuple[Rows, Rows]:
        """Progress and positions by the rules in plain Python.

        One enrollment after the other: all at once would need gigabytes.
        """
        lines: dict[int, list[bytes]] = {}
        for line in (*self.enrollments, *self.warm_up, *self.timed):
            key = json.loads(line)["data"].get("user_course_id")
            if key is not None:  # an outline changes no row
                lines.setdefault(key, []).append(line)
        progress: Rows = []
        positions: Rows = []
        for key in sorted(lines):
            state = expected_state(oulad.parse(lines[key]))
            progress += [
                (*place, row.status.value, row.last_viewed_at, row.completed_at)
                for place, row in sorted(state.progress.items())
            ]
            positions += [
                (key, row.topic_id, row.lesson_id, row.occurred_at, UUID(row.event_id))
                for row in state.positions.values()
            ]
        return progress, positions


def make_log(count: int) -> Log:
    """A log with so many timed events, in order of time; the same on each call."""
    each = (count + WARM_UP) // CLASSES + 1
    enrollments: list[tuple[str, bytes]] = []
    lessons: list[tuple[str, bytes]] = []
    for number in range(CLASSES):
        # Learners of a class are busier the lower their ids: the stride spreads the busiest over the partitions.
        first_id = 1 + number * (LEARNERS + 1)
        for line in oulad.generate(each, learners=LEARNERS, seed=number + 1, first_id=first_id):
            event = json.loads(line)
            (lessons if event["type"].startswith("lesson.") else enrollments).append((event["time"], line))
    ordered = [line for _, line in sorted(lessons)]
    return Log([line for _, line in enrollments], ordered[:WARM_UP], ordered[WARM_UP : WARM_UP + count])


class Logs:
    """Logs of any length, of the same learners: parts of the longest that was asked for so far."""

    def __init__(self, count: int) -> None:
        self._longest = make_log(count)
        self._parts: dict[int, Log] = {}

    def of(self, count: int) -> Log:
        """One with so many timed events; the rows it leads to are computed once."""
        if count > len(self._longest.timed):
            self._longest = make_log(count)
        if count not in self._parts:
            self._parts[count] = self._longest.first(count)
        return self._parts[count]


def make_lines(keys: Iterable[int], first: int = 0) -> Iterator[bytes]:
    """An event of each of these enrollments, a second after the one before; the first is the log's event `first`."""
    chance = random.Random(first)
    for number, key in enumerate(keys, first):
        event = {
            "specversion": "1.0",
            "id": str(UUID(int=chance.getrandbits(128), version=4)),
            "source": "generated",
            "type": "lesson.completed" if chance.random() < 0.3 else "lesson.viewed",
            "time": (oulad.START + timedelta(seconds=number)).isoformat(),
            "data": {"user_course_id": key, "topic_id": chance.randint(1, 9), "lesson_id": chance.randint(1, 15)},
        }
        yield json.dumps(event, separators=(",", ":")).encode()


def make_log_of(keys: Sequence[int], log: Log) -> Log:
    """Timed events of these enrollments, after the other log's warm-up."""
    enrollments = [body(enrolled(key)) for key in sorted(set(keys))]
    return Log([*log.enrollments, *enrollments], log.warm_up, list(make_lines(keys)))


def stored(engine: Engine) -> tuple[Rows, Rows]:
    """Progress and positions as the database has them, without the rows of lessons after LAST_LESSON."""
    return rows(engine, _PROGRESS, last_lesson=LAST_LESSON), rows(engine, _POSITIONS)
