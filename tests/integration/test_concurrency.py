"""Two consumers on the same learners: they pass over what the other holds, never deadlock, and the rows are right."""

import random
from collections.abc import Callable, Sequence
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine

from tests.support.events import completed, corrected, enrolled, entries, outlined, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import rows
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"

MAKERS: list[Callable[..., Event]] = [viewed, viewed, completed, corrected]


def at_once(engine: Engine, *streams: Sequence[Sequence[Event]]) -> list[Exception]:
    """Record the batches of each stream in a thread of its own; what was raised."""
    barrier = Barrier(len(streams))
    raised: list[Exception] = []

    def work(batches: Sequence[Sequence[Event]]) -> None:
        try:
            for batch in batches:
                barrier.wait(20)
                left = entries(batch)
                while left:
                    outcome = ingest(engine, left)
                    apply_parked(engine, outcome.enrolled)
                    left = [each for each, _ in outcome.deferred]
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            barrier.abort()
            raised.append(error)

    threads = [Thread(target=work, args=[batches]) for batches in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_opposite_orders_do_not_deadlock_and_give_the_right_rows(engine: Engine) -> None:
    known: list[Event] = [enrolled(number) for number in range(1, 41)]
    ingest(engine, entries(known))
    before = rows(engine, DEADLOCKS)
    one: list[list[Event]] = [[viewed(n, 1, 1, seconds=turn) for n in range(1, 41)] for turn in range(20)]
    other: list[list[Event]] = [[completed(n, 1, 1, seconds=turn) for n in range(40, 0, -1)] for turn in range(20)]
    assert at_once(engine, one, other) == []
    assert rows(engine, DEADLOCKS) == before
    assert_tables_equal_model(
        engine, known + [event for batches in (one, other) for batch in batches for event in batch]
    )


@pytest.mark.parametrize("seed", range(3))
def test_three_consumers_of_the_same_shuffled_events_give_the_rows_of_one(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    events: list[Event] = [enrolled(n, course_id=n + turn, seconds=turn) for n in range(1, 9) for turn in range(2)]
    events += [outlined(course, [(1, turn + 1), (2, 1)], seconds=turn) for course in (1, 2) for turn in range(3)]
    for n in range(300):
        events.append(
            chance.choice(MAKERS)(chance.randint(1, 9), chance.randint(1, 2), chance.randint(1, 2), seconds=n % 50)
        )
    streams = []
    for _ in range(3):
        shuffled = chance.sample(events, len(events))
        streams.append([shuffled[start : start + 40] for start in range(0, len(shuffled), 40)])
    before = rows(engine, DEADLOCKS)
    assert at_once(engine, *streams) == []
    sweep_parked(engine)
    assert rows(engine, DEADLOCKS) == before
    assert_tables_equal_model(engine, events + [event for event in events for _ in range(2) if _is_parked(event)])


def _is_parked(event: Event) -> bool:
    """Enrollment 9 never comes; each of its three copies is an entry of its own."""
    return getattr(event.data, "user_course_id", 0) == 9
