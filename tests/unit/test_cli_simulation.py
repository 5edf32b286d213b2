"""The simulated class: the same for the same seed, and every mishap is in it with the verdict that it must get."""

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import EVENT, Event
from worker.contract.parse import parse_entry
from worker.errors import InputError
from worker.simulation.classroom import simulate
from worker.simulation.expectation import expected_dead_letters, expected_state, expected_tables, valid_events
from worker.simulation.published import Published

ENTRY_MILLISECONDS = int(datetime(2025, 7, 14, tzinfo=UTC).timestamp() * 1000)
"""Any time after the term: a clock that is right by a year is right enough."""


@pytest.fixture(scope="module")
def published() -> list[Published]:
    return simulate(seed=3, learners=40, events=4_000)


@pytest.fixture(scope="module")
def events(published: list[Published]) -> list[Event]:
    return valid_events(published)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(published: list[Published]) -> None:
    assert simulate(seed=3, learners=40, events=4_000) == published
    assert simulate(seed=4, learners=40, events=4_000) != published


@pytest.mark.parametrize(("learners", "events"), [(1, 300), (40, 4_000), (50, 1_234), (200, 1_500)])
def test_exactly_as_many_events_and_enrollments_come_as_asked_for(learners: int, events: int) -> None:
    made = simulate(seed=1, learners=learners, events=events)
    assert len(made) == events
    assert len(expected_state(made).enrollments) == learners


def test_too_few_events_for_the_learners_are_refused() -> None:
    with pytest.raises(InputError, match="400 events are too few for 400 learners"):
        simulate(seed=1, learners=400, events=400)


def test_every_entry_gets_the_verdict_it_was_made_for(published: list[Published]) -> None:
    for each in published:
        try:
            parse_entry(Entry("lesson-events", f"{ENTRY_MILLISECONDS}-0", each.body))
            verdict = None
        except Rejection as rejection:
            verdict = rejection.reason
        assert verdict == (None if each.reason is Reason.UNKNOWN_ENROLLMENT else each.reason), each.body


def test_there_are_some_of_every_kind_of_bad_event(published: list[Published]) -> None:
    reasons = Counter(each.reason for each in published)
    by_postgresql_or_a_crash = {Reason.DATA_ERROR, Reason.UNKNOWN_REFERENCE, Reason.CRASHES_WORKER}
    by_which_comes_first = {Reason.IDENTITY_CONFLICT, Reason.ENROLLMENT_CONFLICT}
    of_names = {Reason.UNKNOWN_LESSON, Reason.UNMAPPED, Reason.NOT_TRANSLATED}  # the simulated class has numbers
    assert set(reasons) == {None, *Reason} - by_postgresql_or_a_crash - by_which_comes_first - of_names
    assert sum(expected_dead_letters(published).values()) == len(published) - reasons[None]


def test_a_tenth_are_duplicates_and_some_of_them_are_spelled_otherwise(published: list[Published]) -> None:
    bodies: dict[tuple[str, str], set[bytes]] = {}
    repeats = 0
    for each in published:
        if each.reason is None and each.body is not None:
            event = EVENT.validate_json(each.body)
            known = bodies.setdefault((event.type, event.event_id), set())
            repeats += bool(known)
            known.add(each.body)
    assert repeats == 400
    assert sum(len(known) > 1 for known in bodies.values()) > 50


def test_equal_identities_carry_equal_events(events: list[Event]) -> None:
    seen: dict[str, Event] = {}
    for event in events:
        first = seen.setdefault(event.event_id, event)
        assert (first.type, first.time, first.data) == (event.type, event.time, event.data)


def test_neighbors_change_places_and_some_events_come_before_their_enrollment(events: list[Event]) -> None:
    assert sum(later.time < earlier.time for earlier, later in pairwise(events)) > len(events) / 10
    enrolled: set[int] = set()
    early = 0
    for event in events:
        if event.type == "enrollment.created":
            enrolled.add(event.data.user_course_id)
        elif event.type != "course.outlined":
            early += event.data.user_course_id not in enrolled
    assert early > 20


def test_no_event_lies_ahead_of_any_clock(events: list[Event]) -> None:
    assert max(event.time for event in events) < datetime(2025, 7, 14, tzinfo=UTC)


def test_learners_do_all_that_the_rules_speak_of(published: list[Published], events: list[Event]) -> None:
    assert {event.type for event in events} == {
        "lesson.viewed",
        "lesson.completed",
        "enrollment.created",
        "course.outlined",
        "progress.corrected",
    }
    assert len({event.event_id for event in events if event.type == "course.outlined"}) > 5
    tables = expected_tables(expected_state(published), 1_800, AnalysisThresholds().stuck)
    assert {row[0] for row in tables["user_course_progress"].values()} >= {"in_progress", "completed"}
    titles = [str(row[2]) for row in tables["course_lesson"].values()]
    assert all(re.fullmatch(r"[A-Z][\w ]+ \d+\.\d+: [A-Z]\w+", title) for title in titles)
