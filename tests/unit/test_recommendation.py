"""What is recommended to a learner, and why, one sentence each."""

from functools import partial

import pytest

from tests.support.learners import NOW, completed, started
from worker.analytics.phrases import lesson_phrase
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.reasons import Reason, Rule
from worker.analytics.rules.recommendations import Recommendation, RecommendationKind, recommendations
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import NextLesson, NextReason

NEXT, SECOND_LOOK = RecommendationKind
OUTLINE = [(2, 1), (1, 1), (2, 2)]
MEDIANS = dict.fromkeys(OUTLINE, 400.0)
HURRIED = completed(NOW, seconds=99)
HURRY = Reason(Rule.HURRIED, seconds=99, median_seconds=400, median_factor=0.25)
REVISITED = completed(NOW, seconds=400, visits=5, visits_to_complete=2)
recommended = partial(recommendations, hurried_ratio=0.25, revisits=3)


def second_looks(history: History, medians: dict[Lesson, float] = MEDIANS) -> list[Lesson]:
    return [(each.topic_id, each.lesson_id) for each in recommended(None, history, OUTLINE, medians)]


@pytest.mark.parametrize("reason", NextReason)
def test_the_next_lesson_comes_first_with_the_summarys_reason(reason: NextReason) -> None:
    found = recommended(NextLesson(2, 2, reason), {(2, 1): HURRIED}, OUTLINE, MEDIANS)
    assert found[0] == Recommendation(NEXT, 2, 2, (Reason(reason),))
    assert [each.kind for each in found] == [NEXT, SECOND_LOOK]


def test_without_a_next_lesson_and_a_second_look_there_is_nothing_to_recommend() -> None:
    assert recommended(None, {(1, 1): completed(NOW, seconds=400)}, OUTLINE, MEDIANS) == []


@pytest.mark.parametrize(("seconds", "hurried"), [(0, False), (1, True), (99, True), (100, False)])
def test_hurried_is_less_than_a_quarter_of_the_median_but_not_time_that_nobody_measured(
    seconds: int, hurried: bool
) -> None:
    assert second_looks({(1, 1): completed(NOW, seconds=seconds)}) == [(1, 1)] * hurried


@pytest.mark.parametrize("medians", [{}, {(1, 1): 0.0}], ids=["none", "zero"])
def test_without_a_median_nothing_is_hurried(medians: dict[Lesson, float]) -> None:
    assert second_looks({(1, 1): HURRIED}, medians) == []


@pytest.mark.parametrize(("visits", "before", "again"), [(5, 2, True), (4, 2, False), (3, 0, True), (9, None, False)])
def test_visited_again_and_again_is_at_least_three_times_since_the_completion(
    visits: int, before: int | None, again: bool
) -> None:
    history = {(1, 1): completed(NOW, seconds=400, visits=visits, visits_to_complete=before)}
    assert second_looks(history) == [(1, 1)] * again


def test_only_what_is_completed_gets_a_second_look() -> None:
    taken_back = LessonHistory(ProgressStatus.IN_PROGRESS, NOW, 1, 9, NOW, visits_to_complete=1)
    assert second_looks({(1, 1): started(NOW, visits=9, seconds=1), (2, 1): taken_back}) == []


@pytest.mark.parametrize(
    ("history", "reasons", "words"),
    [
        (HURRIED, (HURRY,), "only 99.0 s spent, less than 25 % of the median of 6.7 min"),
        (REVISITED, (Reason(Rule.REVISITED, visits=3),), "visited 3 times since it was completed"),
        (
            completed(NOW, seconds=99, visits=9),
            (HURRY, Reason(Rule.REVISITED, visits=8)),
            "only 99.0 s spent, less than 25 % of the median of 6.7 min and visited 8 times since it was completed",
        ),
    ],
)
def test_the_reason_names_the_figures(history: LessonHistory, reasons: tuple[Reason, ...], words: str) -> None:
    (found,) = recommended(None, {(1, 1): history}, OUTLINE, MEDIANS)
    assert found == Recommendation(SECOND_LOOK, 1, 1, reasons)
    assert lesson_phrase(found) == words


def test_second_looks_come_in_outline_order_and_lessons_outside_get_none() -> None:
    assert second_looks({(9, 9): HURRIED, (2, 2): HURRIED, (1, 1): REVISITED, (2, 1): HURRIED}) == OUTLINE


def test_their_number_is_bounded_and_the_next_lesson_is_the_last_to_go() -> None:
    following = NextLesson(2, 2, NextReason.AFTER_CURRENT)
    history = {(2, 1): HURRIED, (1, 1): HURRIED}
    kinds = [
        [each.kind for each in recommended(following, history, OUTLINE, MEDIANS, limit=limit)] for limit in (0, 1, 2, 9)
    ]
    assert kinds == [[], [NEXT], [NEXT, SECOND_LOOK], [NEXT, SECOND_LOOK, SECOND_LOOK]]


def test_both_thresholds_can_be_set() -> None:
    history = {(1, 1): completed(NOW, seconds=150, visits=2)}
    found = recommended(None, history, OUTLINE, MEDIANS, hurried_ratio=0.5, revisits=1)
    assert [lesson_phrase(each) for each in found] == [
        "only 2.5 min spent, less than 50 % of the median of 6.7 min and visited 1 time since it was completed"
    ]
