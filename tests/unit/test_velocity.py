"""The definitions of velocity and projection, one sentence each."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.learners import NOW, ago, completed, started
from tests.support.zones import only
from worker.analytics.phrases import projection_phrase
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.velocity import Basis, Projection, Velocity, projection, velocity
from worker.contract.progress_status import ProgressStatus

OUTLINE = [(1, lesson) for lesson in range(1, 11)]
CREDITED = LessonHistory(ProgressStatus.COMPLETED)
"""Set by hand, without a moment."""


def projected(history: History, timezone: str | None = None) -> Projection | None:
    return projection(history, OUTLINE, NOW, only(timezone))


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
    history = dict.fromkeys(OUTLINE[:8], CREDITED) | {(1, 9): completed(ago(days=1))}
    assert velocity(history, OUTLINE, NOW).overall == 1
    assert projected(history) == Projection(NOW.date() + timedelta(weeks=1), 1, Basis.RECENT)
    assert projected(dict.fromkeys(OUTLINE[:9], CREDITED)) is None


def test_a_completion_that_was_taken_back_does_not_count() -> None:
    taken_back = LessonHistory(ProgressStatus.IN_PROGRESS, completed_at=ago(days=70), first_visit_at=ago(days=1))
    assert velocity({(1, 1): taken_back}, OUTLINE, NOW) == Velocity(0, 0)
    assert velocity({(1, 1): taken_back, (1, 2): completed(ago(days=1))}, OUTLINE, NOW).overall == 1


def test_the_projection_goes_on_at_the_recent_rate() -> None:
    history = {(1, 1): completed(ago(days=280)), (1, 2): completed(ago(days=3)), (1, 3): completed(ago(days=2))}
    found = projected(history)
    assert found == Projection(NOW.date() + timedelta(weeks=14), 0.5, Basis.RECENT)
    assert projection_phrase(found) == "at 0.5 lessons a week, the rate of the last 28 days"


def test_without_a_recent_completion_it_goes_on_at_the_overall_rate() -> None:
    history = {(1, number): completed(ago(days=70)) for number in (1, 2)}
    found = projected(history)
    assert found == Projection(NOW.date() + timedelta(weeks=40), 0.2, Basis.OVERALL)
    assert projection_phrase(found) == "at 0.2 lessons a week, the rate of all time since the first activity"


def test_the_projected_date_is_the_learners_own() -> None:
    history = {lesson: completed(ago(days=1)) for lesson in OUTLINE[:5]}
    late = datetime(2025, 7, 14, 23, 0, tzinfo=UTC)
    assert {
        zone: found.completed_on
        for zone in (None, "Europe/Berlin")
        if (found := projection(history, OUTLINE, late, only(zone)))
    } == {None: date(2025, 7, 21), "Europe/Berlin": date(2025, 7, 22)}


@pytest.mark.parametrize(
    ("history", "outline"),
    [
        ({(1, 1): completed(ago(days=1))}, None),
        ({(1, 1): completed(ago(days=1))}, []),
        ({}, OUTLINE),
        ({(1, 1): started(ago(days=1))}, OUTLINE),
        ({(9, 9): completed(ago(days=1))}, OUTLINE),
        ({lesson: completed(ago(days=1)) for lesson in OUTLINE}, OUTLINE),
        ({(1, 1): completed(ago(days=2800))}, OUTLINE),
    ],
    ids=[
        "no outline",
        "an empty outline",
        "no activity",
        "nothing completed",
        "nothing of it completed",
        "all completed",
        "more than ten years to go",
    ],
)
def test_no_projection_where_none_can_be_known(history: History, outline: list[tuple[int, int]] | None) -> None:
    assert projection(history, outline, NOW, only(None)) is None


def test_ten_years_are_foreseen() -> None:
    history = {lesson: completed(ago(days=3640)) for lesson in OUTLINE[:5]}
    found = projected(history)
    assert found is not None
    assert found.completed_on == NOW.date() + timedelta(weeks=520)
