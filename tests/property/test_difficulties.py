"""Difficulties over random courses: order-free, monotone in each part, and from 0 up to 1."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.analytics.rules.difficulty import Signs, difficulties
from worker.contract.lesson import Lesson

LESSONS = [(1, lesson) for lesson in range(1, 7)]

figures = st.builds(
    Signs,
    learners=st.integers(8, 12),
    median_seconds=st.none() | st.integers(0, 86_400),
    median_visits_to_complete=st.none() | st.integers(1, 20),
    drop_off=st.none() | st.floats(0, 1, allow_subnormal=False),
)
courses = st.dictionaries(st.sampled_from(LESSONS), figures)


@given(course=courses)
def test_a_difficulty_is_at_least_0_and_below_1(course: dict[Lesson, Signs]) -> None:
    for lesson, found in difficulties(course, 10).items():
        assert 0 <= found.value < 1
        assert found.learners == course[lesson].learners >= 10


@given(
    course=courses.filter(bool),
    data=st.data(),
    part=st.sampled_from(["median_seconds", "median_visits_to_complete", "drop_off"]),
    more=st.floats(0, 1, allow_subnormal=False),
)
def test_more_of_any_part_never_makes_a_lesson_easier(
    course: dict[Lesson, Signs], data: st.DataObject, part: str, more: float
) -> None:
    lesson = data.draw(st.sampled_from(sorted(course)))
    before = getattr(course[lesson], part)
    assume(before is not None and before + more <= 1 if part == "drop_off" else before is not None)
    harder = course | {lesson: replace(course[lesson], **{part: before + more})}
    if lesson in difficulties(course, 10):
        assert difficulties(harder, 10)[lesson].value >= difficulties(course, 10)[lesson].value - 1e-12


@given(course=courses, data=st.data())
def test_the_order_of_a_courses_lessons_does_not_matter(course: dict[Lesson, Signs], data: st.DataObject) -> None:
    assert difficulties(dict(data.draw(st.permutations(list(course.items())))), 10) == difficulties(course, 10)


@given(one=figures, lessons=st.lists(st.sampled_from(LESSONS), unique=True))
def test_of_equal_lessons_each_is_like_the_course(one: Signs, lessons: list[Lesson]) -> None:
    values = [each.value for each in difficulties(dict.fromkeys(lessons, one), 10).values()]
    assert values == pytest.approx([0.5] * len(values))
