"""Several sessions give numbers to the same names at once: one number a name, no deadlock, no event lost."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from tests.support.events import at, entries
from tests.support.named import named_completed, named_enrolled, named_outlined, named_viewed, rows_by_name
from tests.support.named_model import NamedModel, assert_equals_named_model
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.connections import find_connection
from worker.contract.named_event import NamedEvent
from worker.errors import LockedError
from worker.identity import allocate, outline_names, resolve
from worker.identity.look_up import look_up
from worker.identity.names import Names
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked
from worker.progress.submit import Result, submit
from worker.summary.refresh import refresh_summaries

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LESSONS = """
    SELECT key, id FROM external_id WHERE kind = 'lesson' AND scope = (SELECT id FROM external_id WHERE key = :c)
"""

Batch = Sequence[NamedEvent]


@pytest.fixture(autouse=True)
def no_deadlock(engine: Engine) -> Iterator[None]:
    """PostgreSQL has counted none; sessions that end have told all that they counted."""
    yield
    engine.dispose()
    assert rows(engine, DEADLOCKS) == [(0,)]


def at_once(engine: Engine, *works: Sequence[Batch]) -> None:
    """Each sequence of batches in a thread of its own, batch beside batch."""
    barrier, raised = Barrier(len(works)), list[BaseException]()

    def work(batches: Sequence[Batch]) -> None:
        try:
            for batch in batches:
                barrier.wait(30)
                left = entries(batch)
                while left:
                    outcome = ingest(engine, left)
                    apply_parked(engine, outcome.enrolled)
                    left = [each for each, _ in outcome.deferred]
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            barrier.abort()
            raised.append(error)

    threads = [Thread(target=work, args=[batches]) for batches in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def classroom(number: int) -> list[NamedEvent]:
    """Thirty events of one course; all names but the learners' are new in each."""
    course = f"course {number}"
    makers: list[Callable[..., NamedEvent]] = [named_viewed, named_completed]
    events = [
        make(f"learner {learner}", f"lesson {lesson}", course, topic=f"topic {lesson % 3}", seconds=second)
        for second, make in enumerate(makers)
        for learner in range(number, number + 3)
        for lesson in range(4)
    ]
    events += [named_viewed(f"learner {number}", f"lesson of {number}", course)]
    events += [named_completed(f"learner {number}", f"lesson of {number}", None, seconds=9)]
    return [*events, *(named_enrolled(f"learner {learner}", course) for learner in range(number, number + 4))]


@pytest.mark.parametrize("sessions", [2, 4])
def test_sessions_that_name_the_same_give_one_number_to_each_name(engine: Engine, sessions: int) -> None:
    chance = random.Random(sessions)
    batches = [classroom(number) for number in range(25)]
    works = [[chance.sample(batch, len(batch)) for batch in batches] for _ in range(sessions)]
    at_once(engine, *works)
    sweep_parked(engine)
    refresh_summaries(engine, 500)
    model = NamedModel()
    for batch in batches:
        model.deliver(batch)
    assert_equals_named_model(engine, model)


def test_batches_of_the_same_names_in_all_orders_do_not_deadlock(engine: Engine) -> None:
    """Large ones of several sources, courses and topics, so that each statement inserts for a while."""
    chance = random.Random(3)
    events: list[NamedEvent] = [
        named_viewed(f"l{n % 50}", f"lesson {n % 41}", f"c{n % 7}", source=f"s{n % 3}", topic=f"t{n % 4}", seconds=n)
        for n in range(1_500)
    ]
    works = [[chance.sample(events[start:], 700) for start in (0, 400, 800)] for _ in range(4)]
    at_once(engine, *works)
    model = NamedModel()
    model.deliver([event for work in works for batch in work for event in batch])
    refresh_summaries(engine, 500)
    assert_equals_named_model(engine, model)


@pytest.mark.parametrize("places", [["name"], ["first"], ["second"]], ids="".join)
def test_an_outline_and_events_at_once_never_give_two_numbers_to_a_lesson(engine: Engine, places: list[str]) -> None:
    """The events come under one name of each lesson, in several sessions; the outline has them all."""
    lessons, rounds = range(12), range(30)
    place = {"name": "{}", "first": "first alias of {}", "second": "second alias of {}"}

    def outline(number: int) -> Batch:
        aliases = [[place[each].format(lesson) for each in ("first", "second")] for lesson in lessons]
        its = [{"lesson": str(lesson), "aliases": aliases[lesson]} for lesson in lessons]
        return [named_outlined(f"c{number}", its)]

    def events(learner: str, number: int, order: int) -> Batch:
        names = [place[places[0]].format(each) for each in lessons][::order]
        return [named_viewed(learner, name, f"c{number}", seconds=number) for name in names]

    at_once(
        engine,
        [outline(number) for number in rounds],
        [events("ann", number, 1) for number in rounds],
        [events("bob", number, -1) for number in rounds],
    )
    for number in rounds:
        found = dict(rows(engine, LESSONS, c=f"c{number}"))
        assert len(found) == 3 * len(lessons)
        for each in map(str, lessons):
            assert len({found[name.format(each)] for name in place.values()}) == 1, (number, each)
    assert rows(engine, "SELECT count(*), count(DISTINCT lesson_id) FROM lesson_event") == [(720, 360)]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_events_under_all_names_and_outlines_at_once_lose_nothing(engine: Engine) -> None:
    """Two names may have got two numbers first; after the outline they have one."""
    rounds = range(30)
    lessons = [{"lesson": f"{each}", "aliases": [f"alias {each}"]} for each in range(8)]
    outlines = [[named_outlined(f"c{number}", lessons)] for number in rounds]
    names = [name for each in range(8) for name in (f"{each}", f"alias {each}")]
    views = [[named_viewed("ann", name, f"c{number}") for name in names] for number in rounds]
    done = [[named_completed("ann", name, f"c{number}", seconds=5) for name in names[::-1]] for number in rounds]
    at_once(engine, outlines, views, done, outlines)
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(2 * 16 * 30,)]
    assert rows(engine, "SELECT count(*) FROM dead_letter WHERE reason <> 'identity_conflict'") == [(0,)]
    for number in rounds:
        assert len({number for _, number in rows(engine, LESSONS, c=f"c{number}")}) == 8


def interrupted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, *works: Callable[[], object]) -> list[int]:
    """Do one of the works after each call of the function; the list grows with each."""
    function, left, calls = getattr(place, name), list(works), list[int]()

    def call(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        calls.append(1)
        if left:
            left.pop(0)()
        return found

    monkeypatch.setattr(place, name, call)
    return calls


@pytest.mark.parametrize("names", [["l"], ["q"], ["r"], ["l", "q"], ["q", "r"], ["other"]], ids="-".join)
def test_names_given_after_the_outline_has_looked_are_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    ingest(engine, entries([named_enrolled()]))
    works = [partial(ingest, engine, entries([named_viewed(lesson=name)])) for name in names]
    calls = interrupted(monkeypatch, outline_names, "_read", *works)
    ingest(engine, entries([named_outlined(lessons=["first", {"lesson": "l", "aliases": ["q", "r"]}, "last"])]))
    assert len(calls) == len(names) + 1, "it has looked again after each"
    found = dict(rows(engine, LESSONS, c="c1"))
    assert found["l"] == found["q"] == found["r"]
    assert len({found["first"], found["l"], found["last"]}) == 3
    assert rows(engine, "SELECT count(*) FROM course_lesson") == [(3,)]
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(len(names),)]


@pytest.mark.parametrize("name", ["l", "q"])
def test_names_that_an_outline_gave_after_the_event_has_looked_are_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    outline = entries([named_outlined(lessons=[{"lesson": "l", "aliases": ["q"]}])])
    interrupted(monkeypatch, resolve, "look_up", partial(ingest, engine, outline))
    ingest(engine, entries([named_viewed(lesson=name, topic="t9")]))
    found = dict(rows(engine, LESSONS, c="c1"))
    assert found["l"] == found["q"]
    assert rows(engine, "SELECT count(*) FROM lesson_event JOIN course_lesson USING (topic_id, lesson_id)") == [(1,)]


def name_all(connection: Connection) -> None:
    """Name what `named_viewed()` names, and leave the transaction open."""
    names = Names()
    names.add(named_viewed())
    allocate.allocate(connection, names, look_up(connection, names), find_connection)


def name_outline(connection: Connection) -> None:
    """Name an outline that has it too."""
    outline_names.name_outline(connection, named_outlined(lessons=["l1"]), may_allocate=True)


@contextmanager
def held(engine: Engine, name: Callable[[Connection], None]) -> Iterator[Connection]:
    with engine.connect() as connection:
        name(connection)
        yield connection
        connection.rollback()


EVENTS = [named_viewed(), named_completed(seconds=2), named_viewed("bob", "other", "c2")]


@pytest.mark.parametrize("holder", [name_all, name_outline])
@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("event", [EVENTS, [named_outlined(lessons=["l0", "l1"])]], ids=["events", "outline"])
def test_a_naming_transaction_that_stays_open_is_waited_for(
    engine: Engine, holder: Callable[[Connection], None], end: str, event: list[NamedEvent]
) -> None:
    outcomes = []
    with held(engine, holder) as other:
        thread = Thread(target=lambda: outcomes.append(ingest(engine, entries(event))))
        thread.start()
        wait_until(lambda: rows(engine, WAITING), what="a session that waits")
        getattr(other, end)()
        thread.join()
    assert [(each.applied, each.deferred, each.dead_letters) for each in outcomes] == [(len(event), [], [])]
    assert rows(engine, "SELECT count(*) - count(DISTINCT (kind, id)) FROM external_id") == [(0,)]


def test_after_too_long_a_wait_events_are_deferred_and_their_neighbors_applied(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocate, "WAIT_SECONDS", 0.05)
    with held(engine, name_all):
        outcome = ingest(engine, entries(EVENTS))
    assert (outcome.applied, outcome.dead_letters) == (1, [])
    assert {target[0] for _, target in outcome.deferred} == {"names"}
    again = ingest(engine, [entry for entry, _ in outcome.deferred])
    assert (again.applied, again.deferred) == (2, [])
    assert rows_by_name(engine)["moodle", "ann", "c1", "l1"] == ("completed", at(2), at(2))


def test_a_sender_that_waits_is_told_to_try_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocate, "WAIT_SECONDS", 0.05)
    with held(engine, name_all), pytest.raises(LockedError):
        submit(engine, entries(EVENTS))
    assert [each.result for each in submit(engine, entries(EVENTS))].count(Result.APPLIED) == 3


def test_sweeps_at_once_apply_each_waiting_event_once(engine: Engine) -> None:
    events = [named_viewed(f"u{n % 9}", f"l{n % 50}", None, seconds=n) for n in range(600)]
    outline = [named_outlined(lessons=[f"l{n}" for n in range(50)])]
    for batch in (events, outline):
        ingest(engine, entries(batch))
    threads = [Thread(target=sweep_parked, args=[engine]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep_parked(engine)
    refresh_summaries(engine, 500)
    model = NamedModel()
    model.deliver(events)
    model.deliver(outline)
    model.sweep()
    assert_equals_named_model(engine, model)


def test_outlines_that_move_aliases_and_events_under_them_at_once_do_not_deadlock(engine: Engine) -> None:
    """Each outline gives each alias to the next lesson; what was recorded before stays where it was."""
    rounds, lessons = range(40), range(10)
    outlines = [
        [
            named_outlined(
                lessons=[{"lesson": f"{n}", "aliases": [f"a{(n + turn) % 10}"]} for n in lessons], seconds=turn
            )
        ]
        for turn in rounds
    ]
    views = [
        [named_viewed("ann", name, seconds=turn) for n in lessons for name in (f"a{n}", f"new {turn} {n}")]
        for turn in rounds
    ]
    at_once(engine, outlines, views, [batch[::-1] for batch in outlines], [batch[::-1] for batch in views])
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(40 * 20,)]
    found = dict(rows(engine, LESSONS, c="c1"))
    assert all(found[f"{n}"] == found[f"a{(n + 39) % 10}"] for n in lessons)
