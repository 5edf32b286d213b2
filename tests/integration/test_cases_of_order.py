"""Which of several events is the latest, in whatever order and whichever way they come in."""

from collections.abc import Callable, Sequence
from itertools import permutations

import pytest
from sqlalchemy import Engine

from tests.support.doors import ANSWERED, EACH_DOOR, Doors
from tests.support.events import at, body, completed, enrolled, outlined, viewed
from tests.support.rollups import audited
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent, Event
from worker.contract.totals import Totals
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.totals import read_totals

any_door = pytest.mark.parametrize("door", EACH_DOOR)
POSITIONS = "SELECT DISTINCT current_topic, current_lesson, current_section, position_at FROM user_course"
LESSONS = "SELECT lesson_id FROM course_lesson ORDER BY ordinal"


def in_every_order(make: Callable[[int], Sequence[Event]]) -> list[list[bytes]]:
    """To be sent one after the other: the events of an enrollment for each order, all at once and one by one."""
    orders = list(permutations(range(len(make(1)))))
    rounds: list[list[CloudEvent]] = [[outlined(3, [(1, lesson) for lesson in (1, 2, 3, 6, 5, 4)], seconds=-100)]]
    rounds += [[] for _ in orders[0]]
    for number, order in enumerate(orders):
        together, apart = 1 + 2 * number, 2 + 2 * number
        rounds[0] += [enrolled(together), enrolled(apart), *(make(together)[index] for index in order)]
        for turn, index in enumerate(order, 1):
            rounds[turn].append(make(apart)[index])
    return [[body(event) for event in each] for each in rounds]


def send(doors: Doors, door: str, rounds: Sequence[Sequence[bytes]]) -> list[str]:
    return [verdict for each in rounds for verdict in getattr(doors, door)(each)]


@any_door
@pytest.mark.parametrize(
    ("make", "position"),
    [
        (
            lambda key: [
                viewed(key, 1, 3, seconds=0, id="a"),
                completed(key, 1, 3, seconds=300, id="z"),
                viewed(key, 1, 4, seconds=300, id="b"),
            ],
            (1, 4, None, at(300)),
        ),
        (
            lambda key: [
                completed(key, 1, 5, id="a", sequence=10),
                viewed(key, 1, 6, id="z", sequence="9"),
                viewed(key, 1, 4, id="y"),
            ],
            (1, 5, None, at(0)),
        ),
        (lambda key: [viewed(key, 1, lesson, id=f"{lesson}") for lesson in (4, 6, 5)], (1, 4, None, at(0))),
        (
            lambda key: [
                viewed(key, 1, 1, id="a", section_id=4),
                viewed(key, 1, 1, id="b", seconds=10, duration_seconds=10),
                viewed(key, 1, 2, id="c", seconds=5, section_id=2),
                completed(key, 1, 1, id="d", seconds=20),
            ],
            (1, 1, 4, at(20)),
        ),
    ],
    ids=["a completion before a view", "by their sequence", "by the outline", "the section told last stays"],
)
def test_the_position_is_the_same_in_any_order(
    doors: Doors, engine: Engine, door: str, make: Callable[[int], Sequence[Event]], position: tuple[object, ...]
) -> None:
    assert set(send(doors, door, in_every_order(make))) == {"applied"}
    assert rows(engine, POSITIONS) == [position]
    assert audited(engine) == []


@any_door
def test_an_import_of_one_midnight_ends_at_its_last_lesson_in_outline_order(
    doors: Doors, engine: Engine, door: str
) -> None:
    lessons = [*range(100, 50, -1), *range(1, 51)]
    done = [completed(1, 1, lesson, time="2012-03-05T00:00:00Z") for lesson in range(51, 101)]
    events = [completed(1, 1, 1, time="1998-06-01T08:00:00Z"), *done, enrolled(1, time="2012-03-05T00:00:00Z")]
    if door == "single":  # which applies each before it takes the next
        events.reverse()
    batch = [body(outlined(3, [(1, lesson) for lesson in lessons])), *map(body, events)]
    assert set(send(doors, door, [batch])) == {"applied"}
    assert rows(engine, "SELECT count(*) FROM user_course_progress WHERE status = 'completed'") == [(51,)]
    assert rows(engine, "SELECT current_lesson FROM user_course") == [(51,)]


@any_door
def test_an_outline_or_a_transfer_older_than_the_known_one_is_superseded_and_counted(
    doors: Doors, engine: Engine, redis: Redis, settings: Settings, door: str
) -> None:
    known = [outlined(3, [(1, 1), (1, 2)], seconds=60), enrolled(1, course_id=5, seconds=60)]
    older = [outlined(3, [(1, 9)], seconds=0), enrolled(1, course_id=3, seconds=0)]
    found = [send(doors, door, [[body(event) for event in each]]) for each in (known, older, older, known)]
    if door in ANSWERED:
        assert found == [["applied"] * 2, ["superseded"] * 2, ["repeated"] * 2, ["repeated"] * 2]
    assert rows(engine, LESSONS) == [(1,), (2,)]
    assert rows(engine, "SELECT user_id, course_id FROM user_course") == [(7, 5)]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    keys = Keys.of(settings)
    wait_until(lambda: read_totals(redis, keys) == Totals(superseded=2), what="the totals")
