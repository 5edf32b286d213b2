"""The definitions of velocity and projection, one sentence each."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.learners import NOW, ago, completed, started
from tests.support.zones import only
from worker.analytics.phrases import projection_phrase
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.velocity import Basis, Projection, ProjectionState, Velocity, projection, velocity
from worker.contract.progress_status import ProgressStatus

OUTLINE = [(1, lesson) for lesson in range(1, 11)]
UNKNOWN, NOT_AT_PRESENT_PACE = Projection(ProjectionState.UNKNOWN), Projection(ProjectionState.NOT_AT_PRESENT_PACE)
CREDITED = LessonHistory(ProgressStatus.COMPLETED)
"""Set by hand, without a moment."""


def projected(
    history: History,
    outline: list[tuple[int, int]] | None = OUTLINE,
    *,
    last_at: datetime | None = None,
    course_days: float | None = None,
    timezone: str | None = None,
    now: datetime = NOW,
) -> Projection:
    return projection(history, outline, now, only(timezone), last_at=last_at, course_days=course_days)


def until(weeks: float, rate: float, basis: Basis = Basis.RECENT) -> Projection:
    """Completed in so many weeks from NOW."""
    return Projection(ProjectionState.PROJECTED, (NOW + timedelta(weeks=weeks)).date(), rate, basis)


@pytest.mark.parametrize(
    ("completions", "overall", "recent"),
    [
        ([], 0, 0),
        ([ago(days=0)], 1, 1),
        ([ago(days=1)] * 3, 3, 3),
        ([ago(days=14), ago(days=1), ago(days=2)], 1.5, 1.5),
        ([ago(days=56), ago(days=28), ago(days=1), ago(days=2)], 0.5, 0.75),
        ([ago(days=56), ago(days=28, seconds=1)], 0.25, 0),
        ([ago(days=-1)], 1, 1),
    ],
    ids=[
        "nothing",
        "just now",
        "less than a week counts as one",
        "both since the first activity",
        "28 days ago is recent",
        "before is not",
        "now's clock went back",
    ],
)
def test_lessons_completed_a_week(completions: list[datetime], overall: float, recent: float) -> None:
    history = {(1, number): completed(at) for number, at in enumerate(completions, 1)}
    assert velocity(history, OUTLINE, NOW) == Velocity(overall, recent)


def test_the_first_activity_is_the_first_visit_or_completion_of_any_lesson() -> None:
    visited = {(1, 1): completed(ago(days=1)), (9, 9): started(ago(days=14))}
    assert velocity(visited, OUTLINE, NOW) == Velocity(0.5, 0.5)
    by_hand = {(1, 1): completed(ago(days=1)), (9, 9): LessonHistory(ProgressStatus.COMPLETED, ago(days=14))}
    assert velocity(by_hand, OUTLINE, NOW) == Velocity(0.5, 0.5)


def test_only_lessons_of_the_outline_count_where_there_is_one() -> None:
    history = {(1, 1): completed(ago(days=1)), (9, 9): completed(ago(days=1))}
    assert velocity(history, OUTLINE, NOW).overall == 1
    assert velocity(history, None, NOW).overall == 2


def test_a_completion_without_a_moment_is_no_speed_but_nothing_left_to_do() -> None:
    history = dict.fromkeys(OUTLINE[:8], CREDITED) | {(1, 9): completed(ago(days=7))}
    assert velocity(history, OUTLINE, NOW).overall == 1
    assert projected(history) == until(1, 1)
    assert projection_phrase(projected(history)) == "at 1 lesson a week, the rate of the last 28 days"
    assert projected(dict.fromkeys(OUTLINE[:9], CREDITED)) == UNKNOWN
    assert projected(dict.fromkeys(OUTLINE[:9], CREDITED), last_at=ago(days=1)) == UNKNOWN


def test_a_completion_that_was_taken_back_does_not_count() -> None:
    taken_back = LessonHistory(ProgressStatus.IN_PROGRESS, completed_at=ago(days=70), first_visit_at=ago(days=1))
    assert velocity({(1, 1): taken_back}, OUTLINE, NOW) == Velocity(0, 0)
    assert velocity({(1, 1): taken_back, (1, 2): completed(ago(days=1))}, OUTLINE, NOW).overall == 1


def test_the_projection_goes_on_at_the_recent_rate() -> None:
    history = {(1, 1): completed(ago(days=280)), (1, 2): completed(ago(days=3)), (1, 3): completed(ago(days=2))}
    found = projected(history)
    assert found == until(14, 0.5)
    assert projection_phrase(found) == "at 0.5 lessons a week, the rate of the last 28 days"


def test_without_a_recent_completion_it_goes_on_at_the_overall_rate_while_there_is_activity() -> None:
    history = {(1, number): completed(ago(days=70)) for number in range(1, 7)} | {(1, 9): started(ago(days=28))}
    found = projected(history)
    assert found == until(4 / 0.6, 0.6, Basis.OVERALL)
    assert projection_phrase(found) == "at 0.6 lessons a week, the rate of all time since the first activity"


@pytest.mark.parametrize(("last_at", "is_silent"), [(ago(days=28), False), (ago(days=28, seconds=1), True)])
def test_after_four_silent_weeks_there_is_no_pace(last_at: datetime, is_silent: bool) -> None:
    history = {(1, number): completed(ago(days=70)) for number in range(1, 7)}
    assert (projected(history, last_at=last_at) == NOT_AT_PRESENT_PACE) == is_silent
    assert projected(history) == NOT_AT_PRESENT_PACE, "no activity but the completions"


@pytest.mark.parametrize(
    ("course_days", "first_days", "is_projected"),
    [
        (63, 35, True),
        (62, 35, False),
        (None, 63, True),
        (None, 62, False),
        (7, 27, False),
    ],
    ids=[
        "as long as the course takes",
        "longer",
        "as long as the learner has been learning",
        "longer than that",
        "longer than four weeks",
    ],
)
def test_nothing_is_projected_beyond_the_courses_own_length(
    course_days: float | None, first_days: int, is_projected: bool
) -> None:
    """Nine lessons are left at one lesson a week."""
    done = [(2, number) for number in range(4)]
    history = dict.fromkeys(done, completed(ago(days=7))) | {(9, 9): started(ago(days=first_days))}
    found = projected(history, [*OUTLINE[:9], *done], course_days=course_days)
    assert (found.state is ProjectionState.PROJECTED) == is_projected
    assert projection_phrase(NOT_AT_PRESENT_PACE) == "not at the present pace"


@pytest.mark.parametrize(("since", "is_unknown"), [(ago(days=7, seconds=-1), True), (ago(days=7), False)])
def test_the_first_week_shows_no_pace(since: datetime, *, is_unknown: bool) -> None:
    """One lesson completed at once leaves nine: many weeks at one a week, if that were its pace."""
    found = projected({(1, 1): completed(since)}, course_days=4.7)
    assert found == (UNKNOWN if is_unknown else NOT_AT_PRESENT_PACE)
    others = {(9, 9): started(since), (1, 1): completed(ago(days=1))}
    assert (projected(others, course_days=70) == UNKNOWN) == is_unknown
    assert (projected({(1, 1): completed(ago(days=1))}, last_at=since, course_days=70) == UNKNOWN) == is_unknown


def test_four_weeks_are_always_foreseen_and_more_than_a_year_never() -> None:
    quick = {lesson: completed(ago(days=7)) for lesson in OUTLINE[:5]}
    assert projected(quick, course_days=0.5) == until(1, 5)
    slow = {(1, 1): completed(ago(days=4000)), (1, 2): completed(ago(days=1))}
    assert projected(slow).state is ProjectionState.PROJECTED
    assert projected(slow, [*OUTLINE, *((2, each) for each in range(6))]) == NOT_AT_PRESENT_PACE


def test_the_projected_date_is_the_learners_own() -> None:
    late = datetime(2025, 7, 14, 23, 0, tzinfo=UTC)
    history = {lesson: completed(late - timedelta(days=7)) for lesson in OUTLINE[:5]}
    assert {zone: projected(history, timezone=zone, now=late).completed_on for zone in (None, "Europe/Berlin")} == {
        None: date(2025, 7, 21),
        "Europe/Berlin": date(2025, 7, 22),
    }


@pytest.mark.parametrize(
    ("history", "outline"),
    [
        ({(1, 1): completed(ago(days=1))}, None),
        ({(1, 1): completed(ago(days=1))}, []),
        ({}, OUTLINE),
        ({(1, 1): started(ago(days=1))}, OUTLINE),
        ({(9, 9): completed(ago(days=1))}, OUTLINE),
    ],
    ids=["no outline", "an empty outline", "no activity", "nothing completed", "nothing of it completed"],
)
def test_no_projection_where_none_can_be_known(history: History, outline: list[tuple[int, int]] | None) -> None:
    assert projected(history, outline) == UNKNOWN
    assert projection_phrase(UNKNOWN) == "unknown"


def test_a_finished_course_is_not_projected() -> None:
    found = projected({lesson: completed(ago(days=400)) for lesson in OUTLINE})
    assert found == Projection(ProjectionState.FINISHED)
    assert projection_phrase(found) == "the course is completed"
