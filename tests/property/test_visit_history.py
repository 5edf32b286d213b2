"""The history of a lesson on a real PostgreSQL: that of the plain rules, and it agrees with the lesson's activity."""

from dataclasses import astuple
from datetime import timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.activity import stored_activity
from tests.support.events import entries
from tests.support.histories import Batches, histories, recorded_order
from tests.support.tables import clear
from worker.analytics.activity_refresh import refresh_activity
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.activity import TimeSpent, Visits
from worker.analytics.rules.visit_history import Visit, visit_history
from worker.analytics.stored_visits import read_visit_history
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked
from worker.progress.reference import Progress, fold
from worker.summary.counted_lessons import counted_rows
from worker.summary.rules import moved_places

LESSONS = list(product((1, 2), (1, 2)))
cutoffs = st.sampled_from([1, 2, 3, 5, 86_400])
"""Around the seconds between the events of a random history."""


def record(engine: Engine, batches: Batches) -> None:
    clear(engine)
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)


@given(batches=histories(), cutoff=cutoffs, most=st.integers(1, 3))
def test_what_is_read_equals_the_rules(engine: Engine, batches: Batches, cutoff: int, most: int) -> None:
    record(engine, batches)
    state = fold(recorded_order(batches))
    for user_course_id, lesson in product(state.enrollments, LESSONS):
        key = (user_course_id, *lesson)
        events = [event for (owner, _), event in state.ledger.items() if owner == user_course_id]
        moved = moved_places(state, state.enrollments[user_course_id].data.course_id)
        former = [old for old, new in moved.items() if new == lesson]
        rows = {place: state.progress.get((user_course_id, *place), Progress()) for place in [lesson, *former]}
        row = counted_rows(rows, moved)[lesson] if former else rows[lesson]
        rules = (row.completed_at, timedelta(seconds=cutoff))
        found = lesson_history(engine, *key, cutoff)
        assert (found.status, found.completed_at) == (row.status, row.completed_at)
        assert found.history == visit_history(events, lesson, *rules, former=former)
        with engine.connect() as connection:
            last = read_visit_history(connection, key, row.completed_at, cutoff, most)
        assert last == visit_history(events, lesson, *rules, most, former)


@given(batches=histories(), cutoff=cutoffs)
def test_it_agrees_with_the_activity_of_a_lesson_at_one_place(engine: Engine, batches: Batches, cutoff: int) -> None:
    record(engine, batches)
    refresh_activity(engine, 500, cutoff)
    state = fold(recorded_order(batches))
    for user_course_id, activity in stored_activity(engine).items():
        moved = moved_places(state, state.enrollments[user_course_id].data.course_id)
        for lesson in set(LESSONS) - {new for old, new in moved.items() if (user_course_id, *old) in state.progress}:
            key = (user_course_id, *lesson)
            row = state.progress.get(key, Progress())
            history = lesson_history(engine, *key, cutoff).history
            spent, visits = activity.lessons.get(lesson, (TimeSpent(0, 0), None))
            assert (history.spent, counted(history.last_visits, row)) == (spent, visits)
            told = (history.visits, history.first_visit_at, history.last_visit_at, history.visits_to_complete)
            assert told == (astuple(visits) if visits else (0, None, None, None))
            assert [each.number for each in history.last_visits] == list(range(1, history.visits + 1))
            completing = [each.number for each in history.last_visits if each.completed_at]
            assert completing in ([], [history.visits_to_complete])
            ruling = history.last_corrections[-1].corrected_at if history.corrections else None
            assert ruling == row.corrected_at


def counted(visits: list[Visit], row: Progress) -> Visits | None:
    begun = [each.began_at for each in visits]
    to_complete = None if row.completed_at is None else sum(at <= row.completed_at for at in begun)
    return Visits(len(begun), begun[0], begun[-1], to_complete) if begun else None
