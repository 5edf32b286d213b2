"""Which system a database is, by the text beside its streams."""

import pytest

from worker.contract.entry_id import BEGINNING, format_id, moment, parse_id
from worker.contract.system_id import System

ORIGINAL = System("0198", "7412", "lms/live")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ORIGINAL, True),
        (System("0198", "", "lms/live"), True),
        (System("0199", "7412", "lms/live"), False),
        (System("0198", "7413", "lms/live"), False),
        (System("0198", "7412", "lms"), False),
    ],
    ids=["itself", "cluster not known", "another id", "restored elsewhere", "a copy beside it"],
)
def test_a_copy_is_told_from_the_original(other: System, same: bool) -> None:
    assert ORIGINAL.is_same(other) is same
    assert other.is_same(ORIGINAL) is same


@pytest.mark.parametrize("text", ["", "x", "a/b", "0198/7412/lms/live"])
def test_whatever_stands_beside_a_stream_can_be_read(text: str) -> None:
    assert System.parse(text).is_same(ORIGINAL) is (text == str(ORIGINAL))


def test_entry_ids_sort_like_redis_sorts_them() -> None:
    assert sorted(["10-2", "9-3", "10-10"], key=parse_id) == ["9-3", "10-2", "10-10"]
    assert format_id(parse_id("10-2")) == "10-2"


def test_an_id_that_is_nobodys_clock_has_no_time() -> None:
    assert moment(BEGINNING) is None
    assert moment((2**64 - 1, 0)) is None
    assert str(moment((1_000, 5))) == "1970-01-01 00:00:01+00:00"
