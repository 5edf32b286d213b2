"""What names cost: statements, not time, and as many for 4,000 events as for one."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.events import entries, viewed
from tests.support.named import named_completed, named_outlined, named_viewed
from tests.support.tables import counted_statements, execute, rows
from worker.contract.event import CloudEvent
from worker.contract.named_event import NamedEvent
from worker.identity import look_up
from worker.identity.names import Names
from worker.progress import awaited_lessons
from worker.progress.ingest import ingest

SIZES = [1, 100, 4_000]
NUMBERED = """
    SELECT user_course_id, topic_id, lesson_id FROM user_course_progress ORDER BY user_course_id, topic_id, lesson_id
"""


def views(size: int, seconds: int, course: str | None = "c1") -> list[NamedEvent]:
    """Of 40 learners and so many lessons as it takes, each at a time of its own: ties cost more."""
    return [named_viewed(f"u{n % 40}", f"l{n // 40}", course, seconds=seconds + n / 10_000) for n in range(size)]


def statements(engine: Engine, events: Sequence[CloudEvent]) -> list[str]:
    """What is sent but the ends of transactions."""
    with counted_statements(engine) as sent:
        outcome = ingest(engine, entries(events))
    assert outcome.applied + outcome.repeated == len(events)
    return [each for each in sent if each not in {"BEGIN", "COMMIT", "ROLLBACK"}]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("course", ["c1", None])
def test_known_names_cost_one_statement_more_than_numbers(engine: Engine, size: int, course: str | None) -> None:
    ingest(engine, entries(views(size, 0)))
    numbered = statements(
        engine, [viewed(*key, seconds=1 + n / 10_000) for n, key in enumerate(rows(engine, NUMBERED))]
    )
    named = statements(engine, views(size, 2, course))
    assert named[1:] == numbered
    assert len(numbered) == 2


@pytest.mark.parametrize("size", SIZES)
def test_new_names_and_their_enrollments_cost_six_statements(engine: Engine, size: int) -> None:
    ingest(engine, entries([viewed(), *views(1, 0, "another")]))
    named = statements(engine, views(size, 2))
    naming = next(number for number, sql in enumerate(named) if "FOR NO KEY UPDATE" in sql)
    assert naming == 6
    assert len(named) == 6 + 3, "lock, insert the enrollments, record"


@pytest.mark.parametrize("size", [1, 100, 1_000])
@pytest.mark.parametrize(("is_known", "count"), [(False, 8), (True, 6)], ids=["new takes eight", "known takes six"])
def test_an_outline_whose_lessons_are(engine: Engine, size: int, is_known: bool, count: int) -> None:
    lessons = [{"lesson": f"l{n}", "aliases": [f"a{n}"], "topic": f"t{n}"} for n in range(size)]
    if is_known:
        ingest(engine, entries([named_outlined("c1", lessons)]))
    named = statements(engine, [named_outlined("c1", lessons, seconds=1)])
    locks = [number for number, sql in enumerate(named) if "pg_advisory_xact_lock(" in sql]
    assert locks == [0, count], "the names, then the outline"


def test_a_batch_of_known_names_that_wait_costs_no_more_for_many(engine: Engine) -> None:
    """Unknown lessons have no number, so each batch with some asks once whether it may give one."""
    ingest(engine, entries([named_completed()]))
    with counted_statements(engine) as few:
        ingest(engine, entries([named_viewed(lesson="nowhere", course=None)]))
    with counted_statements(engine) as many:
        ingest(engine, entries([named_viewed(lesson=f"nowhere {n}", course=None) for n in range(1_000)]))
    assert len(many) == len(few)


IN_ALL_COURSES = (
    """INSERT INTO external_id (kind, source, key, id)
       SELECT 'course', 'moodle', 'c' || n, n FROM generate_series(1, 3000) AS n""",
    """INSERT INTO external_id (kind, source, key, scope, id, topic_id)
       SELECT 'lesson', 'moodle', 'l' || l, n, 10 * n + l, 1
       FROM generate_series(1, 3000) AS n, generate_series(0, 2) AS l""",
    "ANALYZE external_id",
)


@pytest.mark.parametrize("course", ["c1", None])
def test_a_lesson_whose_name_thousands_of_courses_have_is_found_by_two_rows(engine: Engine, course: str | None) -> None:
    """Such as `Introduction`."""
    execute(engine, *IN_ALL_COURSES)
    names = Names()
    for number in range(300):
        names.add(named_viewed("u", f"l{number % 3}", course and f"c{1 + number}"))
    parameters = {
        "courses": json.dumps(list(names.courses)),
        "lessons": json.dumps(list(names.lessons)),
        "learners": json.dumps(list(names.learners)),
    }
    read = rows_read(engine, look_up._LOOK_UP.text, parameters)
    assert read <= 3_000 + 2 * len(names.lessons), "all courses, in so small a table, and two for each lesson"


def test_a_sweep_for_such_a_lesson_reads_two_rows(engine: Engine) -> None:
    ingest(engine, entries([named_viewed("u", f"l{number}", None) for number in range(3)]))
    execute(engine, *IN_ALL_COURSES)
    assert (
        rows_read(engine, awaited_lessons._ARRIVED.text, {"source": "", "key": "", "course_id": 0, "limit": 9})
        <= 3 + 2 * 3
    )


def rows_read(engine: Engine, sql: str, parameters: dict[str, Any]) -> int:
    """How many rows of the map a query reads."""
    ((found,),) = rows(engine, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", **parameters)
    return read_by(found[0]["Plan"])


def read_by(plan: dict[str, Any]) -> int:
    found = sum(map(read_by, plan.get("Plans", ())))
    if plan.get("Relation Name") == "external_id":
        found += int((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
    return found
