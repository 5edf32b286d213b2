"""Compare every table after the demo with the plain-Python reference model."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.progress.reference import State
    from worker.settings import Settings
    from worker.simulation import Published
    from worker.simulation.stored_tables import Rows

SHOWN_DIFFERENCES = 5


def compare(settings: "Settings", published: "list[Published]") -> bool:
    """Print stored against expected counts and one learner's summary; return whether everything is equal."""
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.cli.output import console, new_table
    from worker.cli.servers import open_database
    from worker.cli.summary import summary_table
    from worker.printable import printable
    from worker.simulation.expectation import expected_dead_letters, expected_state, expected_tables
    from worker.simulation.stored_tables import read_dead_letters, read_tables
    from worker.summary.read import get_summary

    state = expected_state(published)
    dead_letters, thresholds = expected_dead_letters(published), AnalysisThresholds.of(settings).stuck
    with open_database(settings) as engine:
        with engine.connect() as connection:
            stored, stored_dead_letters = read_tables(connection), read_dead_letters(connection)
        summary = summary_table(get_summary(engine, _example(state)))

    table = new_table("What is stored", "", "expected", "stored", "equal", numbers=["expected", "stored"])
    differences: list[str] = []
    for name, expected in expected_tables(state, settings.idle_cutoff_seconds, thresholds).items():
        wrong = _differences(expected, stored[name])
        differences += [f"{name}: {each}" for each in wrong[:SHOWN_DIFFERENCES]]
        table.add_row(name, f"{len(expected):,}", f"{len(stored[name]):,}", _verdict(len(wrong)))
    for reason in sorted({reason for reason, _ in dead_letters + stored_dead_letters}):
        wanted, found = _of(dead_letters, reason), _of(stored_dead_letters, reason)
        unequal = (wanted - found) + (found - wanted)
        differences += [f"dead letter {reason}: {body!r:.100}" for body in list(unequal)[:SHOWN_DIFFERENCES]]
        table.add_row(f"dead_letter: {reason}", f"{wanted.total():,}", f"{found.total():,}", _verdict(unequal.total()))
    console().print(table)
    if not differences:
        console().print("Every row and every dead letter is as expected.", style="green")
    for each in differences:
        console().print(printable(each), style="red")
    console().print("", summary, sep="\n")
    return not differences


def _differences(expected: "Rows", stored: "Rows") -> list[str]:
    """Describe each key whose rows differ."""
    if expected == stored:
        return []
    keys = sorted({*expected, *stored}, key=str)
    return [
        f"{key}: expected {_text(expected.get(key))}, stored {_text(stored.get(key))}"
        for key in keys
        if expected.get(key) != stored.get(key)
    ]


def _text(row: tuple[object, ...] | None) -> str:
    return "no row" if row is None else ", ".join(str(value) for value in row)


def _of(dead_letters: Mapping[tuple[str, bytes | None], int], reason: str) -> Counter[bytes | None]:
    return Counter({body: count for (its, body), count in dead_letters.items() if its == reason})


def _verdict(wrong: int) -> str:
    return "yes" if wrong == 0 else f"NO: {wrong:,} differ"


def _example(state: "State") -> int:
    """Return the uncompleted enrollment that is furthest ahead, or else the first enrollment."""
    from worker.contract.progress_status import ProgressStatus

    completed = Counter(key[0] for key, row in state.progress.items() if row.status is ProgressStatus.COMPLETED)
    sizes = {course_id: len(lessons) for course_id, lessons in state.outlines.items()}
    unfinished = [
        (count, user_course_id)
        for user_course_id, count in completed.items()
        if count < sizes.get(state.enrollments[user_course_id].data.course_id, 0)
    ]
    return max(unfinished, default=(0, min(state.enrollments)))[1]
