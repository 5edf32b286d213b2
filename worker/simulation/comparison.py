"""Compare every stored table and the dead letters with the plain-Python reference model."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from worker.analytics.rules.stuck import StuckThresholds
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import State
from worker.simulation.expectation import expected_tables
from worker.simulation.stored_tables import Rows, read_dead_letters, read_tables

DeadLetters = Mapping[tuple[str, bytes | None], int]
"""The number of dead letters by reason and body."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table, or the dead letters of one reason."""

    name: str
    expected_count: int
    stored_count: int
    different_count: int
    differences: list[str]
    """A description of each row, or of each dead letter's body, that differs."""


def compare(
    connection: Connection,
    state: State,
    dead_letters: DeadLetters,
    idle_cutoff_seconds: float,
    thresholds: StuckThresholds,
) -> Iterator[Comparison]:
    """Compare what is stored with the state of the reference model and the expected dead letters."""
    stored = read_tables(connection)
    for name, expected in expected_tables(state, idle_cutoff_seconds, thresholds).items():
        differences = _differences(expected, stored[name])
        yield Comparison(
            name, len(expected), len(stored[name]), len(differences), [f"{name}: {each}" for each in differences]
        )
    yield from _compare_dead_letters(dead_letters, read_dead_letters(connection))


def example_enrollment(state: State) -> int:
    """Return the uncompleted enrollment that is furthest ahead, or else the first enrollment."""
    completed = Counter(key[0] for key, row in state.progress.items() if row.status is ProgressStatus.COMPLETED)
    sizes = {course_id: len(lessons) for course_id, lessons in state.outlines.items()}
    unfinished = [
        (count, user_course_id)
        for user_course_id, count in completed.items()
        if count < sizes.get(state.enrollments[user_course_id].data.course_id, 0)
    ]
    return max(unfinished, default=(0, min(state.enrollments)))[1]


def _differences(expected: Rows, stored: Rows) -> list[str]:
    """Describe each key whose rows differ."""
    if expected == stored:
        return []
    keys = sorted({*expected, *stored}, key=str)
    return [
        f"{key}: expected {_text(expected.get(key))}, stored {_text(stored.get(key))}"
        for key in keys
        if expected.get(key) != stored.get(key)
    ]


def _compare_dead_letters(expected: DeadLetters, stored: DeadLetters) -> Iterator[Comparison]:
    for reason in sorted({reason for reason, _ in (*expected, *stored)}):
        wanted, found = _with_reason(expected, reason), _with_reason(stored, reason)
        wrong = (wanted - found) + (found - wanted)
        differences = [f"dead letter {reason}: {body!r:.100}" for body in wrong]
        yield Comparison(f"dead_letter: {reason}", wanted.total(), found.total(), wrong.total(), differences)


def _with_reason(dead_letters: DeadLetters, reason: str) -> Counter[bytes | None]:
    return Counter({body: count for (its, body), count in dead_letters.items() if its == reason})


def _text(row: tuple[object, ...] | None) -> str:
    return "no row" if row is None else ", ".join(str(value) for value in row)
