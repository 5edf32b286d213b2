"""Fast by design: one transaction and as many SQL statements for 1,000 events as for one."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.support.events import completed, corrected, enrolled, entries, entry, outlined, viewed
from tests.support.tables import counted_statements, insert_as_lms
from worker.contract.entry import Entry
from worker.contract.event import CloudEvent
from worker.progress import record
from worker.progress.ingest import ingest

KNOWN = 1
MIXTURES: dict[str, Callable[[int], list[CloudEvent | bytes]]] = {
    "views": lambda number: [viewed(KNOWN, 1, number, seconds=number)],
    "completions": lambda number: [completed(KNOWN, 1, number, seconds=number)],
    "views at one time": lambda number: [viewed(KNOWN, 1, 2 * number), viewed(KNOWN, 1, 2 * number + 1)],
    "repeated views": lambda number: [event := viewed(KNOWN, 1, number, seconds=number), event],
    "enrollments that change": lambda number: [enrolled(number), enrolled(number, course_id=4, seconds=9)],
    "enrollments": lambda number: [enrolled(number)],
    "outlines": lambda number: [outlined(number, [(1, 1), (1, 2)])],
    "corrections": lambda number: [corrected(KNOWN, 1, number)],
    "early": lambda number: [viewed(10_000 + number)],
    "broken": lambda _: [b"broken"],
    "enrollments and views": lambda number: [enrolled(number), viewed(number)],
    "views and corrections": lambda number: [
        viewed(KNOWN, 1, number, seconds=number),
        corrected(KNOWN, 1, number),
    ],
    "everything": lambda number: [
        enrolled(number),
        outlined(number, [(1, 1)]),
        viewed(number),
        completed(number, 1, 2),
        corrected(number, 1, 3),
        viewed(10_000 + number),
        b"broken",
    ],
}


def batch(mixture: Callable[[int], list[Any]], size: int, first: int = 2) -> list[Entry]:
    """Entries of the mixture, whole or cut after `size`; ids from `first` on."""
    numbers = range(first, first + 1_000)
    return [entry(content) for content in islice((each for number in numbers for each in mixture(number)), size)]


def statements(engine: Engine, batch: list[Entry]) -> list[str]:
    with counted_statements(engine) as sent:
        ingest(engine, batch)
    return sent


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
def test_a_thousand_entries_take_the_statements_of_one_of_each(
    engine: Engine, mixture: Callable[[int], list[Any]]
) -> None:
    insert_as_lms(engine, KNOWN)
    few = statements(engine, batch(mixture, len(mixture(2)), first=1_002))
    many = statements(engine, batch(mixture, 1_000))
    assert many == few
    assert many[0] == "BEGIN"
    assert many[-1] == "COMMIT"
    assert sum(each in {"BEGIN", "COMMIT", "ROLLBACK"} for each in many) == 2


def test_the_hot_path_is_two_statements(engine: Engine) -> None:
    insert_as_lms(engine, KNOWN)
    sent = statements(engine, entries([viewed(KNOWN), completed(KNOWN)]))
    assert len(sent) == 4, "BEGIN, lock, record, COMMIT"


def test_a_redelivered_batch_takes_no_more(engine: Engine) -> None:
    delivered = batch(MIXTURES["everything"], 1_000)
    first = statements(engine, delivered)
    assert len(statements(engine, delivered)) <= len(first)


def test_statistics_that_know_of_no_sections_make_no_join_go_row_by_row(engine: Engine) -> None:
    insert_as_lms(engine, *range(1, 101))
    views = [viewed(key, 1, lesson, seconds=lesson) for key in range(1, 101) for lesson in range(1, 11)]
    ingest(engine, entries(views))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        told = [viewed(key, 1, 1, seconds=99, section_id=2) for key in range(1, 101)]
        plan = connection.scalars(text(f"EXPLAIN {record._RECORD.text}"), {"events": record.rows(told)}).all()
    assert [line for line in plan if "Nested Loop" in line] == []
