"""Hold summaries and statistics against plain Python, computed from the events alone."""

from sqlalchemy import Engine

from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.domain.audit import Difference
from worker.domain.progress import State
from worker.domain.statistics import tallies
from worker.domain.summary import Summary, summaries
from worker.services.audit import Scope, examine_scope
from worker.services.statistics_refresh import refresh_statistics
from worker.services.summary_refresh import refresh_summaries
from worker.storage.statistics import StoredStatistics, read_statistics
from worker.storage.summary import read_stored

STALE = "SELECT count(*) FROM user_course WHERE stale_since IS NOT NULL"
BEHIND = """
    SELECT EXISTS (SELECT FROM user_course WHERE stale_since IS NOT NULL)
        OR EXISTS (SELECT FROM course WHERE stale_since IS NOT NULL)
        OR EXISTS (SELECT FROM course_change) OR EXISTS (SELECT FROM enrollment_change)
"""


def stored_summaries(engine: Engine) -> dict[int, Summary]:
    """Every stored summary; all of them must be current."""
    ids = [key for (key,) in rows(engine, "SELECT id FROM user_course")]
    with engine.connect() as connection:
        stored = read_stored(connection, ids)
    assert [each.user_course_id for each in stored if not each.is_current] == []
    return {each.user_course_id: each.summary for each in stored if each.summary}


def stored_statistics(engine: Engine) -> dict[int, StoredStatistics]:
    """The stored statistics of every course."""
    found = {}
    with engine.connect() as connection:
        for (course_id,) in rows(engine, "SELECT course_id FROM course_statistics"):
            stored = read_statistics(connection, course_id)
            assert stored
            found[course_id] = stored
    return found


def refresh_all(engine: Engine, chunk: int = 500) -> None:
    """Bring every rollup up to date; afterwards nothing is stale."""
    assert refresh_summaries(engine, chunk).oldest_change_at is None
    assert refresh_statistics(engine, 60).oldest_change_at is None
    assert rows(engine, STALE) == [(0,)]


def wait_for_rollups(engine: Engine, seconds: float = 20) -> None:
    """Wait until the workers have brought every rollup up to date."""
    wait_until(lambda: rows(engine, BEHIND) == [(False,)], seconds, "the refresh of every rollup")


def audited(engine: Engine) -> list[Difference]:
    """Everything that an audit of everything lists."""
    return [each for step in examine_scope(engine, Scope()) for each in step.differences]


def assert_rollups_equal_model(engine: Engine, state: State) -> None:
    """Every summary and every statistic is stored, current, and what plain Python makes of the events."""
    assert stored_summaries(engine) == summaries(state)
    statistics = {key: (each.course, each.lessons) for key, each in stored_statistics(engine).items()}
    assert {key: each for key, each in statistics.items() if each[0].enrollments or each[1]} == {
        key: (each.course(), each.lessons())
        for key, each in tallies(state).items()
        if each.course().enrollments or each.lessons()
    }
