"""Whatever comes in whatever order, and is refreshed or not in between: every law holds after the same history.

One machine delivers, delivers again, inserts as an LMS does, and refreshes a part or everything. After each step reads
and audits are right, after each whole refresh every row is, and at the end everything that is computed from the rows.
"""

import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from functools import partial
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF, expected_activity, stored_activity
from tests.support.corruptions import CORRUPTIONS
from tests.support.course_analysis import expected_course
from tests.support.events import entries
from tests.support.histories import ENROLLMENTS, Batches, events_of_anybody, recorded_order
from tests.support.learner_analysis import expected_learners
from tests.support.learners import NOW
from tests.support.model import assert_progress_follows_from_ledger, assert_tables_equal_model, expected_state
from tests.support.months import months
from tests.support.rollups import (
    BEHIND,
    assert_rollups_equal_model,
    audited,
    refresh_activity,
    refresh_all,
    stored_summaries,
)
from tests.support.tables import clear, contents, execute, insert_as_lms, rows, snapshot
from tests.support.zone_changes import zone_changes
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.activity import TimeSpent, Visits
from worker.analytics.rules.completion_statistics import tallies
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.rules.visit_history import Visit, VisitHistory, visit_history
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.stored_visits import read_visit_history
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked
from worker.progress.reference import Progress, State
from worker.summary.counted_lessons import counted_rows
from worker.summary.read import get_summary
from worker.summary.refresh import refresh_summaries
from worker.summary.rules import moved_places, summaries

HISTORIES: dict[str, st.SearchStrategy[Sequence[Event]]] = {
    "identities collide": st.lists(events_of_anybody, min_size=8, max_size=24),
    "clocks change": zone_changes(),
    "months of two learners": months([1, 2]),
    "months of a course": months([1, 2, 3, 4, 5]),
}
LESSONS = list(product((1, 2), (1, 2)))
Batch = tuple[int, list[int]]
BATCH = st.tuples(st.integers(1, 8), st.lists(st.integers(0, 999), max_size=2))
"""How many events, and which of those delivered by then come again."""
CUTOFF = IDLE_CUTOFF.total_seconds()
MARK_ALL = "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course"
VERSIONS = "SELECT user_course_id, outline_version FROM user_course_summary ORDER BY user_course_id"
AHEAD = "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) SELECT id, 78, 78 FROM user_course"


@dataclass(frozen=True)
class Looks:
    """How the end of a history is looked at."""

    thresholds: AnalysisThresholds
    cutoff: int
    """Around the seconds, or minutes, between the events."""
    max_visits: int
    corruptions: frozenset[str]


thresholds = st.builds(
    AnalysisThresholds,
    grace_weekends=st.booleans(),
    dormant_days=st.integers(1, 20),
    stuck=st.builds(StuckThresholds, st.integers(1, 4), st.sampled_from([1.0, 1.5, 2.0])),
    hurried_ratio=st.sampled_from([0.25, 0.9]),
    revisits=st.integers(1, 3),
    blocker_ratio=st.sampled_from([0.2, 0.5, 1.0]),
    min_learners=st.integers(1, 4),
)
looks = st.builds(
    Looks,
    thresholds,
    st.sampled_from([1, 2, 3, 5, 600, 3_600, 86_400]),
    st.integers(1, 3),
    st.frozensets(st.sampled_from(sorted(CORRUPTIONS)), min_size=1, max_size=4),
)


class Interleaving(RuleBasedStateMachine):
    """One history of one kind, delivered to one database."""

    engine: Engine
    kind: str

    def __init__(self) -> None:
        super().__init__()
        clear(self.engine)
        self.waiting: list[Event] = []
        self.batches: Batches = []
        self.inserted: set[int] = set()

    @initialize(data=st.data(), looks=looks, inserted=st.sets(st.sampled_from(ENROLLMENTS)))
    def begin(self, data: st.DataObject, looks: Looks, inserted: set[int]) -> None:
        """Some enrollments are the LMS's own from the beginning, where identities collide."""
        self.waiting = list(data.draw(HISTORIES[self.kind].flatmap(st.permutations)))
        self.looks = looks
        if self.kind == "identities collide":
            self.inserted = inserted
            insert_as_lms(self.engine, *inserted)

    @property
    def order(self) -> list[Event]:
        return recorded_order(self.batches, known=self.inserted)

    @property
    def lms_rows(self) -> dict[int, tuple[int, int]]:
        return dict.fromkeys(self.inserted, (70, 30))

    @property
    def state(self) -> State:
        return expected_state(self.order, self.lms_rows)

    @property
    def stuck(self) -> StuckThresholds:
        return self.looks.thresholds.stuck

    # ---- What happens ------------------------------------------------------------------------------------------------

    @rule(batch=BATCH)
    def deliver(self, batch: Batch) -> None:
        """The next events, and some again, also within one batch. Each rule begins so: rules are left out at random."""
        count, again = batch
        arriving, self.waiting = self.waiting[:count], self.waiting[count:]
        for number in again:
            known = [event for each in self.batches for event in each] + arriving
            if known:
                arriving.insert(number % (len(arriving) + 1), known[number % len(known)])
        if arriving:
            self.record(arriving)

    @precondition(lambda self: self.kind == "identities collide")
    @rule(batch=BATCH, key=st.sampled_from(ENROLLMENTS))
    def insert_as_lms(self, batch: Batch, key: int) -> None:
        """What was parked for it is applied by the next sweep."""
        self.deliver(batch)
        if key not in self.state.enrollments:
            insert_as_lms(self.engine, key)
            self.inserted.add(key)
        sweep_parked(self.engine)

    @rule(batch=BATCH, chunk=st.integers(1, 3), stop=st.tuples(st.booleans(), st.booleans()), courses=st.booleans())
    def refresh_a_part(self, batch: Batch, chunk: int, stop: tuple[bool, bool], courses: bool) -> None:
        self.deliver(batch)
        refresh_summaries(self.engine, chunk, partial(bool, stop[0]))
        refresh_activity(self.engine, chunk, CUTOFF, partial(bool, stop[1]))
        if courses:
            refresh_statistics(self.engine, 60, AnalysisThresholds(stuck=self.stuck))

    @rule(batch=BATCH)
    def refresh(self, batch: Batch) -> None:
        """Every row is that of the rules then, and refreshing again writes nothing."""
        self.deliver(batch)
        refresh_all(self.engine, 2, self.stuck)
        assert_tables_equal_model(self.engine, self.order, lms_rows=self.lms_rows)
        assert_progress_follows_from_ledger(self.engine)
        assert_rollups_equal_model(self.engine, self.state, thresholds=self.stuck)
        before = snapshot(self.engine)
        refresh_all(self.engine, thresholds=self.stuck)
        assert snapshot(self.engine) == before

    @invariant()
    def reads_and_audit_are_right(self) -> None:
        known = summaries(self.state)
        assert {key: get_summary(self.engine, key).summary for key in known} == known
        if self.batches:
            assert audited(self.engine, self.stuck) == []

    def record(self, batch: list[Event]) -> None:
        self.batches.append(batch)
        apply_parked(self.engine, ingest(self.engine, entries(batch)).enrolled)

    # ---- At the end --------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None or not hasattr(self, "looks"):
            return  # a step has failed
        self.refresh((len(self.waiting), []))
        self.analyses_are_right()
        self.what_is_marked_again_stays()
        self.corruption_is_found_and_repaired()
        self.rows_made_ahead_are_no_difference()
        for cutoff in (600, self.looks.cutoff):
            self.another_cutoff_is_applied(cutoff)
        self.histories_of_lessons_are_right()

    def analyses_are_right(self) -> None:
        state, thresholds = self.state, self.looks.thresholds
        learners = {key: analyze_learner(self.engine, key, NOW, thresholds) for key in state.enrollments}
        as_of = {key: (each.as_of, each.course_as_of) for key, each in learners.items()}
        assert learners == expected_learners(state, expected_activity(state), thresholds, NOW, as_of)
        for key in tallies(state):
            course = analyze_course(self.engine, key, NOW, thresholds)
            assert course == expected_course(state, expected_activity(state), key, thresholds, NOW, course.as_of)

    def what_is_marked_again_stays(self) -> None:
        before = snapshot(self.engine)
        execute(self.engine, MARK_ALL)
        refresh_all(self.engine, thresholds=self.stuck)
        assert rows(self.engine, BEHIND) == [(False,)]
        after = snapshot(self.engine)
        for table in ("lesson_activity", "topic_activity", "daily_activity"):
            assert after[table] == before[table]

    def corruption_is_found_and_repaired(self) -> None:
        before, versions = contents(self.engine), rows(self.engine, VERSIONS)
        execute(self.engine, *(CORRUPTIONS[name] for name in sorted(self.looks.corruptions)))
        corrupted = contents(self.engine)
        found = audited(self.engine, self.stuck)
        assert contents(self.engine) == corrupted, "an audit reads only"
        assert bool(found) == (corrupted != before or rows(self.engine, VERSIONS) != versions)

        steps = rebuild_scope(self.engine, Scope(), 60, self.stuck, CUTOFF)
        assert [each for step in steps for each in step.differences] == found
        assert audited(self.engine, self.stuck) == []
        refresh_all(self.engine, thresholds=self.stuck)
        assert audited(self.engine, self.stuck) == []
        if "row invented" in self.looks.corruptions:  # not deleted: it becomes one that was made ahead of any event
            execute(self.engine, "DELETE FROM user_course_progress WHERE (topic_id, lesson_id) = (77, 77)")
        else:
            assert contents(self.engine) == before

    def rows_made_ahead_are_no_difference(self) -> None:
        """A summary shows them."""
        execute(self.engine, AHEAD)
        assert audited(self.engine, self.stuck) == []
        keys = rows(self.engine, "SELECT id FROM user_course ORDER BY id")
        known = [get_summary(self.engine, key).summary for (key,) in keys]
        refresh_all(self.engine, thresholds=self.stuck)
        assert list(stored_summaries(self.engine).values()) == known
        assert audited(self.engine, self.stuck) == []
        execute(self.engine, "DELETE FROM user_course_progress WHERE (topic_id, lesson_id) = (78, 78)")

    def another_cutoff_is_applied(self, cutoff: int) -> None:
        """To what is marked again."""
        execute(self.engine, MARK_ALL)
        refresh_activity(self.engine, 500, cutoff)
        assert stored_activity(self.engine) == expected_activity(self.state, timedelta(seconds=cutoff))

    def histories_of_lessons_are_right(self) -> None:
        """Those of the rules; they agree with the activity, of the same cutoff, where a lesson has one place."""
        state, cutoff, stored = self.state, self.looks.cutoff, stored_activity(self.engine)
        for key, enrollment in state.enrollments.items():
            moved = moved_places(state, enrollment.data.course_id)
            events = [event for (owner, _), event in state.ledger.items() if owner == key]
            for lesson in LESSONS:
                former = [old for old, new in moved.items() if new == lesson]
                places = {place: state.progress.get((key, *place), Progress()) for place in [lesson, *former]}
                row = counted_rows(places, moved)[lesson] if former else places[lesson]
                given = (row.completed_at, timedelta(seconds=cutoff))
                found = lesson_history(self.engine, key, *lesson, cutoff)
                assert (found.status, found.completed_at) == (row.status, row.completed_at)
                assert found.history == visit_history(events, lesson, *given, former=former)
                max_listed = self.looks.max_visits
                with self.engine.connect() as connection:
                    last = read_visit_history(connection, (key, *lesson), row.completed_at, cutoff, max_listed)
                assert last == visit_history(events, lesson, *given, max_listed, former)
                if key in stored and not any((key, *old) in state.progress for old in former):
                    assert_agrees(
                        found.history, places[lesson], *stored[key].lessons.get(lesson, (TimeSpent(0, 0), None))
                    )


def assert_agrees(history: VisitHistory, row: Progress, spent: TimeSpent, visits: Visits | None) -> None:
    """A lesson's history and its activity are of the same events."""
    assert (history.spent, _counted(history.last_visits, row)) == (spent, visits)
    told = (history.visits, history.first_visit_at, history.last_visit_at, history.visits_to_complete)
    assert told == (astuple(visits) if visits else (0, None, None, None))
    assert [each.number for each in history.last_visits] == list(range(1, history.visits + 1))
    completing = [each.number for each in history.last_visits if each.completed_at]
    assert completing in ([], [history.visits_to_complete])
    ruling = history.last_corrections[-1].corrected_at if history.corrections else None
    assert ruling == row.corrected_at


def _counted(visits: list[Visit], row: Progress) -> Visits | None:
    begun = [each.began_at for each in visits]
    to_complete = None if row.completed_at is None else sum(at <= row.completed_at for at in begun)
    return Visits(len(begun), begun[0], begun[-1], to_complete) if begun else None


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", HISTORIES)
def test_every_law_holds_at_every_time(engine: Engine, kind: str) -> None:
    examples = settings().max_examples // 4  # of each kind; every one of them is checked in a dozen ways
    machine = type("Machine", (Interleaving,), {"engine": engine, "kind": kind})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=6))
