"""When to try again what waits for locks, and how much of it is held."""

from worker.consume.retry_schedule import RetrySchedule
from worker.contract.batch import Target
from worker.contract.entry import Entry

GIANT: Target = ("enrollment", 1)
OTHER: Target = ("enrollment", 2)


def entries(count: int, stream: str = "s") -> list[Entry]:
    return [Entry(stream, f"{number}-1", b"x") for number in range(count)]


def test_one_enrollment_leaves_room_for_others() -> None:
    deferral = RetrySchedule(10)
    assert len(deferral.add((each, GIANT) for each in entries(20))) == 15
    assert deferral.add((each, OTHER) for each in entries(5, "t")) == []
    assert len(deferral) == 10


def test_the_same_entry_waits_once_and_is_forgotten_when_it_is_done() -> None:
    deferral = RetrySchedule(10)
    its = entries(2)
    deferral.add((each, GIANT) for each in [*its, *its])
    deferral.settle(its, [(its[0], GIANT)])
    assert list(deferral) == [its[0]]
    deferral.settle(its, [])
    assert not deferral
    assert deferral.seconds_to_due() is None


def test_what_was_tried_in_vain_waits_longer_each_time() -> None:
    deferral = RetrySchedule(10)
    deferral.add((each, GIANT) for each in entries(1))
    waits = []
    for _ in range(9):
        while not deferral.due(10):
            pass
        waits.append(round(deferral.seconds_to_due() or 0, 2))
        deferral._waits[GIANT].until = 0
    assert waits == sorted(waits)
    assert 1.9 < waits[-1] <= 2


def test_only_one_that_was_locked_again_and_again_is_busy() -> None:
    deferral = RetrySchedule(10)
    its = entries(1)
    deferral.add((each, GIANT) for each in its)
    assert deferral.busy() is None
    for _ in range(3):
        deferral._waits[GIANT].until = 0
        deferral.due(10)
    assert deferral.busy() == (1, its)
