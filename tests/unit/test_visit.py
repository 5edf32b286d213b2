"""The history of a lesson in plain Python, by example."""

from datetime import datetime, timedelta

from tests.support.events import at, completed, corrected, viewed
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.visit_history import LessonCorrection, VisitHistory, visit_history
from worker.contract.event import LedgerEvent
from worker.contract.progress_status import ProgressStatus

MINUTE = 60


def found(*events: LedgerEvent, completed_at: datetime | None = None, max_listed: int = 1_000) -> VisitHistory:
    return visit_history(events, (1, 1), completed_at, timedelta(minutes=30), max_listed)


def test_a_gap_of_the_cut_off_parts_two_visits_whatever_came_between() -> None:
    its = found(
        viewed(seconds=59 * MINUTE),
        viewed(seconds=0),
        viewed(seconds=29 * MINUTE),
        viewed(1, 1, 2, seconds=40 * MINUTE),
    )
    assert [(each.number, each.began_at, each.last_at, each.events) for each in its.last_visits] == [
        (1, at(0), at(29 * MINUTE), 2),
        (2, at(59 * MINUTE), at(59 * MINUTE), 1),
    ]
    assert (its.visits, its.first_visit_at, its.last_visit_at, its.visits_to_complete) == (2, at(0), at(3_540), None)


def test_time_is_estimated_up_to_the_next_event_of_any_lesson_and_measured_where_it_was_told() -> None:
    its = found(viewed(seconds=0), viewed(1, 1, 2, seconds=100), viewed(seconds=9_000, duration_seconds=60))
    assert [each.spent for each in its.last_visits] == [TimeSpent(100, 0), TimeSpent(60, 60)]
    assert its.spent == TimeSpent(160, 60)


def test_a_moment_in_two_visits_counts_in_each_and_once_in_the_lesson() -> None:
    its = found(viewed(seconds=0, duration_seconds=60), viewed(seconds=3_600, duration_seconds=3_630))
    assert [each.spent.seconds for each in its.last_visits] == [60, 3_630]
    assert its.spent == TimeSpent(3_660, 3_660)


def test_the_visit_with_the_completion_that_counts_completed_the_lesson() -> None:
    days = [completed(seconds=86_400 * day) for day in range(3)]
    its = found(viewed(seconds=86_340), *days, completed_at=at(86_400))
    assert [(each.completions, each.completed_at) for each in its.last_visits] == [
        (1, None),
        (1, at(86_400)),
        (1, None),
    ]
    assert its.visits_to_complete == 2


def test_a_status_set_by_hand_is_no_visits_doing() -> None:
    by_hand = corrected(status="completed", completed_at=at(50), seconds=9)
    its = found(viewed(seconds=0), corrected(1, 1, 2), corrected(seconds=3), by_hand, completed_at=at(50))
    assert its.last_corrections == [
        LessonCorrection(at(3), ProgressStatus.NOT_STARTED, None, None),
        LessonCorrection(at(9), ProgressStatus.COMPLETED, None, at(50)),
    ]
    assert (its.corrections, its.visits_to_complete, its.last_visits[0].completed_at) == (2, 1, None)


def test_all_are_counted_and_the_last_are_shown() -> None:
    events = [kind(seconds=86_400 * day) for kind in (viewed, corrected) for day in range(3)]
    its = found(*events, max_listed=2)
    assert (its.visits, its.corrections, its.first_visit_at) == (3, 3, at(0))
    assert [each.number for each in its.last_visits] == [2, 3]
    assert [each.corrected_at for each in its.last_corrections] == [at(86_400), at(172_800)]


def test_a_lesson_never_touched_has_none() -> None:
    assert found(viewed(1, 2, 1)) == VisitHistory(0, None, None, None, TimeSpent(0, 0), [], 0, [])
    assert found(corrected(), completed_at=at(0)).visits_to_complete is None
