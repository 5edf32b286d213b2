"""The queries behind the lists: as many for a long page as for a short one, by indexes, whatever the tables hold."""

import pytest
from sqlalchemy import Engine, TextClause, text

from tests.support.events import completed, enrolled, entries, outlined
from tests.support.rollups import refresh_all
from tests.support.tables import counted_statements, execute
from worker.analytics import course_list
from worker.analytics.course_list import list_courses
from worker.errors import InputError
from worker.progress.ingest import ingest
from worker.summary import enrollment_list
from worker.summary.enrollment_list import list_enrollments
from worker.summary.read import get_refreshed_summaries

MANY = """
    INSERT INTO user_course (id, user_id, course_id)
    SELECT id, id * 7919 % 5000 + 1, id % 100 + 1 FROM generate_series(1, 20000) AS id
"""


@pytest.mark.parametrize("is_current", [True, False])
def test_a_long_page_takes_the_queries_of_a_short_one(engine: Engine, is_current: bool) -> None:
    known = [enrolled(key, course_id=3 + key % 2) for key in range(1, 51)]
    ingest(engine, entries([outlined(3, [(1, 1)]), *known, *(completed(key) for key in range(1, 51))]))
    if is_current:
        refresh_all(engine)
    sent = {}
    for limit in (1, 50):
        with counted_statements(engine) as sent[limit]:
            assert len(list_enrollments(engine, limit=limit).enrollments) == limit
            assert len(list_enrollments(engine, user_id=7, limit=limit).enrollments) == limit
            assert len(get_refreshed_summaries(engine, range(1, 1 + limit))) == limit
            list_courses(engine, limit=limit)
    assert sent[50] == sent[1]


def test_no_list_reads_every_enrollment(engine: Engine) -> None:
    execute(engine, MANY)
    execute(engine, "UPDATE user_course SET stale_since = NULL WHERE id > 100")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE user_course"))
    everything: dict[str, object] = {"after": 10, "limit": 51, "user_id": 70}
    cases: list[tuple[TextClause, dict[str, object]]] = [
        (enrollment_list._OF_USER, {"courses": None}),
        (enrollment_list._OF_USER, {"courses": [3]}),
        (enrollment_list._OF_COURSES, {"courses": [3, 4]}),
        (enrollment_list._ALL, {}),
        (course_list._LIST[False], {}),
        (course_list._LIST[True], {"courses": [3, 4, 5_000]}),
    ]
    with engine.connect() as connection:
        for statement, others in cases:
            plan = connection.scalars(text(f"EXPLAIN {statement.text}"), everything | others).all()
            assert [line for line in plan if "Seq Scan on user_course " in line] == []


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_impossible_page_sizes_are_refused(engine: Engine, limit: int) -> None:
    for listed in (list_enrollments, list_courses):
        with pytest.raises(InputError, match=f"page size is {limit}"):
            listed(engine, limit=limit)
    with pytest.raises(InputError, match="201 enrollments are too many"):
        get_refreshed_summaries(engine, range(1, 202))
