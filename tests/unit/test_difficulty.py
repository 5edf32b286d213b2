"""What makes a lesson difficult, one sentence each."""

from dataclasses import replace

import pytest

from worker.analytics.rules.difficulty import Difficulty, Signs, difficulties
from worker.contract.lesson import Lesson

LIKE_THE_COURSE = Signs(10, median_seconds=300, median_visits_to_complete=2, drop_off=0.1)


def course(*figures: Signs) -> dict[Lesson, Signs]:
    return {(1, number): each for number, each in enumerate(figures, 1)}


def values(*figures: Signs) -> list[float]:
    return [each.value for each in difficulties(course(*figures), 10).values()]


def test_a_lesson_alone_is_like_its_course() -> None:
    assert values(LIKE_THE_COURSE) == [0.5]


def test_where_all_are_equal_all_are_like_the_course() -> None:
    assert values(*[LIKE_THE_COURSE] * 3) == [0.5] * 3


def test_where_nobody_needs_time_or_drops_off_all_are_like_the_course() -> None:
    assert values(*[Signs(10, 0, 1, 0)] * 3) == [0.5] * 3


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        # The means of the course are 300 s, 2 visits and 0.1.
        ([(600, 4, 0.2), (0, 0, 0)], [2 / 3, 0]),
        ([(600, 2, 0.1), (0, 2, 0.1)], [(2 / 3 + 1 / 2 + 1 / 2) / 3, (0 + 1 / 2 + 1 / 2) / 3]),
        ([(300, 3, 0.1), (300, 1, 0.1)], [(1 / 2 + 3 / 5 + 1 / 2) / 3, (1 / 2 + 1 / 3 + 1 / 2) / 3]),
        ([(900, 2, 0), (0, 2, 0), (0, 2, 0.3)], [(3 / 4 + 1 / 2) / 3, 1 / 2 / 3, (1 / 2 + 3 / 4) / 3]),
    ],
    ids=["twice as much in each part, and nothing", "time alone", "visits alone", "three times, in two parts"],
)
def test_the_difficulty_is_the_mean_of_the_parts_beside_the_course(
    figures: list[tuple[float, float, float]], expected: list[float]
) -> None:
    assert values(*(Signs(10, *each) for each in figures)) == pytest.approx(expected)


def test_a_part_that_is_not_known_is_left_out_of_the_mean() -> None:
    slow, quick = replace(LIKE_THE_COURSE, median_seconds=600), replace(LIKE_THE_COURSE, median_seconds=0)
    unknown = replace(LIKE_THE_COURSE, median_seconds=None)
    assert values(slow, quick, unknown) == pytest.approx([(2 / 3 + 1) / 3, 1 / 3, 1 / 2])
    assert values(Signs(10, None, 3, None), Signs(10, None, 1, None)) == pytest.approx([3 / 5, 1 / 3])


def test_where_no_part_is_known_there_is_no_difficulty() -> None:
    assert values(Signs(10, None, None, None)) == []


def test_with_too_few_learners_a_lesson_has_none_and_moves_no_mean() -> None:
    few = Signs(9, 90_000, 90, 0.9)
    assert difficulties(course(LIKE_THE_COURSE, few), 10) == {(1, 1): Difficulty(0.5, 10)}
    assert difficulties(course(few), 9) == {(1, 1): Difficulty(0.5, 9)}


def test_it_tells_on_how_many_learners_it_rests() -> None:
    assert difficulties(course(replace(LIKE_THE_COURSE, learners=37)), 10)[1, 1].learners == 37


def test_a_course_without_lessons_has_no_difficulties() -> None:
    assert difficulties({}, 10) == {}
