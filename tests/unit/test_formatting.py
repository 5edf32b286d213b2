"""How numbers and times are formatted."""

import pytest

from worker.formatting import counted, duration, percent, two_digits


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (119, "119.0 s"), (120, "2.0 min"), (7199, "120.0 min"), (9000, "2.5 h"), (172_800, "2.0 d")],
)
def test_a_length_of_time_is_told_in_the_largest_unit_of_which_there_are_two(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0.00192, "0.0019"), (0.25, "0.25"), (2, "2"), (9.96, "10"), (128, "130"), (5555, "5,600")]
)
def test_a_number_is_told_with_two_digits(number: float, words: str) -> None:
    assert two_digits(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 %"), (0.01, "< 1 %"), (1, "1 %"), (49.6, "50 %"), (99, "99 %"), (99.99, "> 99 %"), (100, "100 %")],
)
def test_in_whole_percents_only_nothing_is_0_and_only_all_is_100(number: float, words: str) -> None:
    assert percent(number) == words


def test_one_is_not_many() -> None:
    assert [counted(number, "visit") for number in (0, 1, 2)] == ["0 visits", "1 visit", "2 visits"]
