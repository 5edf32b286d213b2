"""What comes again after an outline has changed what a name stands for: it changes nothing, and is no conflict."""

import pytest
from sqlalchemy import Engine

from tests.support.events import at, entries
from tests.support.named import named_completed, named_outlined, named_viewed, rows_by_name
from tests.support.tables import rows
from worker.contract.named_event import NamedEvent
from worker.progress.ingest import ingest

TWO = named_outlined(lessons=["a", "b"])
ONE = named_outlined(lessons=[{"lesson": "a", "aliases": ["b"]}], seconds=1)


def lesson_numbers(engine: Engine) -> int:
    """How many lessons the names stand for."""
    return int(rows(engine, "SELECT count(DISTINCT id) FROM external_id WHERE kind = 'lesson'")[0][0])


@pytest.mark.parametrize(
    "batches",
    [[[TWO], [ONE], [TWO]], [[ONE], [TWO]], [[ONE, TWO]], [[TWO, ONE]]],
    ids=["again", "late", "late in one batch", "in order in one batch"],
)
def test_an_older_outline_does_not_change_what_a_newer_one_says(
    engine: Engine, batches: list[list[NamedEvent]]
) -> None:
    for batch in batches:
        ingest(engine, entries(batch))
    assert lesson_numbers(engine) == 1
    ingest(engine, entries([named_viewed(lesson="b"), named_completed(lesson="a", seconds=3)]))
    assert rows_by_name(engine)["moodle", "ann", "c1", "b"] == ("completed", at(3), at(3))


def test_an_older_outline_names_what_only_it_has(engine: Engine) -> None:
    ingest(engine, entries([ONE]))
    ingest(engine, entries([named_outlined(lessons=["b", {"lesson": "c", "aliases": ["d"]}], seconds=-5)]))
    ingest(engine, entries([named_viewed(lesson="c"), named_completed(lesson="d", seconds=1)]))
    assert rows_by_name(engine)["moodle", "ann", "c1", "c"] == ("completed", at(1), at(1))
    assert lesson_numbers(engine) == 2


def test_an_alias_takes_nothing_from_a_lesson_with_a_name_of_its_own(engine: Engine) -> None:
    """Otherwise the lesson would lose its rows to the one that is listed before it."""
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "old", "aliases": ["shared"]}])]))
    ingest(engine, entries([named_completed(lesson="old", seconds=1)]))
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "new", "aliases": ["shared"]}, "old"], seconds=2)]))
    ingest(engine, entries([named_viewed(lesson="old", seconds=3), named_viewed(lesson="shared", seconds=4)]))
    found = rows_by_name(engine)
    assert found["moodle", "ann", "c1", "old"] == ("completed", at(3), at(1))
    assert found["moodle", "ann", "c1", "new"] == ("in_progress", at(4), None)


def test_an_outline_that_comes_again_is_a_repetition(engine: Engine) -> None:
    ingest(engine, entries([TWO]))
    ingest(engine, entries([ONE]))
    again = ingest(engine, entries([TWO]))
    assert (again.repeated, again.dead_letters) == (1, [])


def test_an_event_that_comes_again_under_an_alias_is_a_repetition(engine: Engine) -> None:
    """As after a failover of Redis, or when an LMS's log is sent again."""
    event = named_viewed(lesson="b")
    ingest(engine, entries([named_viewed(lesson="a"), event]))
    ingest(engine, entries([ONE]))
    again = ingest(engine, entries([event]))
    assert (again.repeated, again.dead_letters) == (1, [])
