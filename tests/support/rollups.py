"""Hold summaries, statistics and activity against plain Python, computed from the events alone."""

from collections.abc import Iterable
from functools import partial

from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF, expected_activity, stored_activity
from tests.support.events import entries
from tests.support.model import EVERY_ID
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.analytics import activity_refresh
from worker.analytics.rules.completion_statistics import tallies
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.rules.time_statistics import time_statistics_by_course
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.stored_statistics import StoredStatistics, read_statistics, read_time_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.compare import audit_scope
from worker.audit.difference import Difference
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.reference import State
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries
from worker.summary.rules import Summary, summaries
from worker.summary.stored_summary import read_stored

STALE = "SELECT count(*) FROM user_course WHERE stale_since IS NOT NULL"
BEHIND = """
    SELECT EXISTS (SELECT FROM user_course WHERE stale_since IS NOT NULL)
        OR EXISTS (SELECT FROM course WHERE stale_since IS NOT NULL)
        OR EXISTS (SELECT FROM course_change) OR EXISTS (SELECT FROM enrollment_change)
        OR EXISTS (SELECT FROM activity_change)
"""

refresh_activity = partial(
    activity_refresh.refresh_activity, long_seconds=Settings.model_fields["statistics_timeout_seconds"].default
)


def stored_summaries(engine: Engine, enrollments: tuple[int, int] = EVERY_ID) -> dict[int, Summary]:
    """Every stored summary from the first id to the last; all of them must be current."""
    first, last = enrollments
    found = rows(engine, "SELECT id FROM user_course WHERE id BETWEEN :first AND :last", first=first, last=last)
    with engine.connect() as connection:
        stored = read_stored(connection, [key for (key,) in found])
    assert [each.user_course_id for each in stored if not each.is_current] == []
    return {each.user_course_id: each.summary for each in stored if each.summary}


def stored_statistics(engine: Engine, courses: tuple[int, int] = EVERY_ID) -> dict[int, StoredStatistics]:
    """The stored statistics of every course from the first id to the last."""
    stored, (first, last) = {}, courses
    sql = "SELECT course_id FROM course_statistics WHERE course_id BETWEEN :first AND :last"
    with engine.connect() as connection:
        for (course_id,) in rows(engine, sql, first=first, last=last):
            statistics = read_statistics(connection, course_id)
            assert statistics
            stored[course_id] = statistics
    return stored


def record(engine: Engine, events: Iterable[Event]) -> None:
    """Record the events in one batch and refresh every rollup."""
    ingest(engine, entries(events))
    refresh_all(engine)


def refresh_all(engine: Engine, chunk: int = 500, thresholds: StuckThresholds | None = None) -> None:
    """Bring every rollup up to date; afterwards nothing is stale."""
    assert refresh_summaries(engine, chunk).oldest_change_at is None
    assert refresh_activity(engine, chunk, IDLE_CUTOFF.total_seconds()).oldest_change_at is None
    rules = AnalysisThresholds(stuck=thresholds) if thresholds else AnalysisThresholds()
    assert refresh_statistics(engine, 60, rules).oldest_change_at is None
    assert rows(engine, STALE) == [(0,)]


def wait_for_rollups(engine: Engine, seconds: float = 60) -> None:
    """Wait until the workers have brought every rollup up to date."""
    wait_until(lambda: rows(engine, BEHIND) == [(False,)], seconds, "the refresh of every rollup")


def audited(engine: Engine, thresholds: StuckThresholds | None = None) -> list[Difference]:
    """Everything that an audit of everything lists."""
    return [
        each
        for step in audit_scope(engine, Scope(), IDLE_CUTOFF.total_seconds(), thresholds or AnalysisThresholds().stuck)
        for each in step.differences
    ]


def assert_rollups_equal_model(
    engine: Engine,
    state: State,
    enrollments: tuple[int, int] = EVERY_ID,
    courses: tuple[int, int] = EVERY_ID,
    thresholds: StuckThresholds | None = None,
) -> None:
    """Every summary, activity and statistic is stored, current, and what plain Python makes of the events."""
    assert stored_summaries(engine, enrollments) == summaries(state)
    activities = expected_activity(state)
    assert stored_activity(engine, enrollments) == activities
    found = stored_statistics(engine, courses)
    figures = time_statistics_by_course(state, activities, thresholds or AnalysisThresholds().stuck)
    with engine.connect() as connection:
        assert {key: read_time_statistics(connection, key) for key in found if key in figures} == {
            key: figures[key] for key in found if key in figures
        }
    statistics = {key: (each.course, each.lessons) for key, each in found.items()}
    assert {key: each for key, each in statistics.items() if each[0].enrollments or each[1]} == {
        key: (each.course(), each.lessons())
        for key, each in tallies(state).items()
        if each.course().enrollments or each.lessons()
    }
