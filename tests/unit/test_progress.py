"""The rules of progress, one sentence each."""

from datetime import datetime

from tests.support.events import at, completed, corrected, enrolled, outlined, viewed
from worker.contract.event import LedgerEvent
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress, fold, lesson_progress

NOT_STARTED, IN_PROGRESS, COMPLETED = ProgressStatus
LOW, HIGH = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def row(*events: LedgerEvent) -> tuple[ProgressStatus, datetime | None, datetime | None]:
    progress = lesson_progress(events)
    return progress.status, progress.last_viewed_at, progress.completed_at


def test_a_view_starts_a_lesson() -> None:
    assert row(viewed(seconds=3)) == (IN_PROGRESS, at(3), None)


def test_a_completion_completes_it_and_is_an_access() -> None:
    assert row(completed(seconds=3)) == (COMPLETED, at(3), at(3))


def test_view_after_complete_keeps_completed() -> None:
    assert row(completed(seconds=1), viewed(seconds=9)) == (COMPLETED, at(9), at(1))


def test_a_late_completion_counts_from_when_it_happened() -> None:
    assert row(viewed(seconds=9), completed(seconds=1)) == (COMPLETED, at(9), at(1))


def test_the_first_completion_is_the_one_that_counts() -> None:
    assert row(completed(seconds=5), completed(seconds=2), completed(seconds=8)) == (COMPLETED, at(8), at(2))


def test_a_correction_is_a_whole_snapshot() -> None:
    given = corrected(status="completed", last_viewed_at=at(-5), completed_at=at(-9), seconds=10)
    assert row(completed(seconds=1), given) == (COMPLETED, at(-5), at(-9))
    assert row(completed(seconds=1), corrected(seconds=10)) == (NOT_STARTED, None, None)


def test_events_before_or_at_a_correction_are_silent() -> None:
    assert row(corrected(seconds=5), completed(seconds=4), viewed(seconds=5)) == (NOT_STARTED, None, None)


def test_events_after_a_correction_merge_onto_it() -> None:
    reset = corrected(status="in_progress", last_viewed_at=at(2), seconds=5)
    assert row(reset, viewed(seconds=6)) == (IN_PROGRESS, at(6), None)
    assert row(reset, completed(seconds=7)) == (COMPLETED, at(7), at(7))


def test_a_later_view_does_not_take_a_corrected_completion_back() -> None:
    done = corrected(status="completed", last_viewed_at=at(2), completed_at=at(2), seconds=5)
    assert row(done, viewed(seconds=6)) == (COMPLETED, at(6), at(2))


def test_the_latest_correction_rules_by_time_then_identity() -> None:
    early = corrected(seconds=1, status="completed", id=HIGH)
    late = corrected(seconds=2, status="in_progress", id=LOW)
    tied = corrected(seconds=2, status="not_started", id=HIGH)
    assert row(early, late)[0] is IN_PROGRESS
    assert row(late, early)[0] is IN_PROGRESS
    assert row(tied, late)[0] is NOT_STARTED
    assert row(late, tied)[0] is NOT_STARTED


def test_each_lesson_of_each_enrollment_has_a_row_of_its_own() -> None:
    state = fold([enrolled(1), enrolled(2), viewed(1, 1, 1), viewed(1, 2, 1), viewed(1, 1, 2), completed(2, 1, 1)])
    assert {key: progress.status for key, progress in state.progress.items()} == {
        (1, 1, 1): IN_PROGRESS,
        (1, 2, 1): IN_PROGRESS,
        (1, 1, 2): IN_PROGRESS,
        (2, 1, 1): COMPLETED,
    }


def test_the_position_is_the_latest_events_topic_lesson_and_section_together() -> None:
    state = fold([enrolled(), viewed(1, 2, 3, section_id=4, seconds=1), completed(1, 5, 6, seconds=2)])
    assert {key: (where.topic_id, where.lesson_id, where.occurred_at) for key, where in state.positions.items()} == {
        1: (5, 6, at(2))
    }


def test_a_late_event_never_moves_the_position_back() -> None:
    state = fold([enrolled(), viewed(1, 5, 6, seconds=2), viewed(1, 1, 1, seconds=1)])
    assert state.positions[1].topic_id == 5


def test_of_events_at_the_same_moment_the_higher_identity_is_the_position() -> None:
    events = [viewed(1, 1, 1, id=LOW), viewed(1, 2, 2, id=HIGH)]
    assert fold([enrolled(), *events]).positions[1].topic_id == 2
    assert fold([enrolled(), *reversed(events)]).positions[1].topic_id == 2


def test_a_correction_makes_a_row_but_no_position() -> None:
    state = fold([enrolled(), corrected(1, 1, 1)])
    assert state.progress == {(1, 1, 1): Progress(corrected_at=at(0))}
    assert state.positions == {}


def test_of_unequal_events_with_one_identity_the_first_speaks() -> None:
    first, second = viewed(1, 1, 1, id="same"), completed(1, 2, 2, id="same")
    assert fold([enrolled(), first, second]).progress.keys() == {(1, 1, 1)}
    assert fold([enrolled(), second, first]).progress.keys() == {(1, 2, 2)}


def test_one_identity_in_two_enrollments_is_two_events() -> None:
    assert fold([enrolled(1), enrolled(2), viewed(1, id="same"), viewed(2, id="same")]).progress.keys() == {
        (1, 1, 1),
        (2, 1, 1),
    }


def test_an_enrollment_that_comes_later_lets_its_events_in() -> None:
    assert fold([viewed(1)]).progress == {}
    assert fold([viewed(1), enrolled(1)]).progress.keys() == {(1, 1, 1)}


def test_the_latest_enrollment_and_the_latest_outline_are_the_ones_kept() -> None:
    late, early = enrolled(user_id=8, seconds=2), enrolled(user_id=9, seconds=1)
    assert fold([late, early]).enrollments == {1: late}
    full, empty = outlined(lessons=[(1, 1)], seconds=1), outlined(seconds=2)
    assert fold([full, empty]).outlines == fold([empty, full]).outlines == {3: ()}


def test_the_ranks_follow_the_order_of_declaration() -> None:
    assert [status.rank for status in ProgressStatus] == [0, 1, 2]
