"""The rules themselves: order-free, idempotent, and a status that only a correction takes back."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.histories import (
    activities,
    corrections,
    distinct_histories,
    enrollments,
    events,
    reopenings,
)
from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LedgerEvent,
    LessonCompleted,
    LessonEvent,
    LessonReopened,
    ProgressCorrected,
)
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import fold, is_after, lesson_progress

histories = st.lists(events, max_size=20)


@given(data=st.data(), history=distinct_histories)
def test_order_of_distinct_events_does_not_matter(data: st.DataObject, history: list[Event]) -> None:
    assert fold(data.draw(st.permutations(history))) == fold(history)


@given(data=st.data(), history=histories.filter(bool))
def test_repeating_events_changes_nothing(data: st.DataObject, history: list[Event]) -> None:
    again = data.draw(st.lists(st.sampled_from(history)))
    assert replace(fold(history + again), conflicts=[]) == replace(fold(history), conflicts=[])


@given(history=histories)
def test_an_event_of_an_enrollment_that_nobody_made_is_left_out(history: list[Event]) -> None:
    state = fold(history)
    made = {event.data.user_course_id for event in history if isinstance(event, EnrollmentCreated)}
    assert state.enrollments.keys() == made
    assert {key[0] for key in [*state.ledger, *state.progress]} <= made
    assert state.positions.keys() <= made


@given(history=st.lists(activities, min_size=1, max_size=8), more=activities)
def test_another_event_never_lowers_a_status_or_moves_a_time_the_wrong_way(
    history: list[LessonEvent], more: LessonEvent
) -> None:
    before, after = lesson_progress(history), lesson_progress([*history, more])
    assert after.status.rank >= before.status.rank
    assert before.last_viewed_at is not None
    assert after.last_viewed_at is not None
    assert after.last_viewed_at >= before.last_viewed_at
    if before.completed_at is not None:
        assert after.completed_at is not None
        assert after.completed_at <= before.completed_at


@given(history=st.lists(activities, min_size=1, max_size=8))
def test_without_corrections_completed_and_its_time_go_together(history: list[LessonEvent]) -> None:
    row = lesson_progress(history)
    assert (row.status is ProgressStatus.COMPLETED) == (row.completed_at is not None)
    assert row.status is not ProgressStatus.NOT_STARTED


@given(correction=corrections, earlier=st.lists(activities, max_size=8))
def test_a_correction_silences_what_is_not_later(correction: ProgressCorrected, earlier: list[LedgerEvent]) -> None:
    silent = [event for event in earlier if isinstance(event, LessonEvent) and not is_after(event, correction)]
    assert all(event in silent for event in earlier if event.time < correction.time)
    row = lesson_progress([correction])
    assert replace(lesson_progress([*silent, correction]), section=None) == row
    snapshot = correction.data
    assert (row.status, row.last_viewed_at, row.completed_at) == (
        snapshot.status,
        snapshot.last_viewed_at,
        snapshot.completed_at,
    )


@given(data=st.data(), reopening=reopenings, others=st.lists(activities, max_size=8))
def test_a_reopened_lesson_is_completed_by_later_completions_alone(
    data: st.DataObject, reopening: LessonReopened, others: list[LessonEvent]
) -> None:
    correction = reopening.as_correction()
    history: list[LedgerEvent] = data.draw(st.permutations([*others, correction]))
    later = [each.time for each in others if isinstance(each, LessonCompleted) and is_after(each, correction)]
    row = lesson_progress(history)
    assert row.completed_at == min(later, default=None)
    assert row.status is (ProgressStatus.COMPLETED if later else ProgressStatus.IN_PROGRESS)
    assert row.last_viewed_at == max([reopening.time, *(each.time for each in others if is_after(each, correction))])


@given(history=st.lists(st.one_of(activities, corrections, enrollments), max_size=12), correction=corrections)
def test_a_correction_never_moves_the_position(history: list[Event], correction: ProgressCorrected) -> None:
    assume(correction.event_id not in {event.event_id for event in history})
    assert fold([*history, correction]).positions == fold(history).positions


@given(history=st.lists(events, max_size=12))
def test_the_outline_of_a_course_is_one_of_its_latest(history: list[Event]) -> None:
    state = fold(history)
    outlined = [event for event in history if isinstance(event, CourseOutlined)]
    applied = [event for event in outlined if event not in [conflicting for conflicting, _ in state.conflicts]]
    for course_id, lessons in state.outlines.items():
        its = [event for event in applied if event.data.course_id == course_id]
        latest = max(event.time for event in its)
        assert lessons in [event.data.lessons for event in its if event.time == latest]
