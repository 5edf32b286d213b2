"""The database is read-only, or lacks a table or its migrations: reading stops, loudly, until that is mended."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from tests.support import oulad
from tests.support.system import System
from tests.support.tables import execute

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'progress-worker' AND pid <> pg_backend_pid()
"""


@contextmanager
def read_only(system: System) -> Iterator[None]:
    """A standby, as far as anyone who connects can tell."""
    with system.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        connection.execute(text(TERMINATE))
        yield
        connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))


@contextmanager
def without(system: System, table: str) -> Iterator[None]:
    """The table is not there."""
    execute(system.engine, f"ALTER TABLE {table} RENAME TO {table}_away")
    yield
    execute(system.engine, f"ALTER TABLE {table}_away RENAME TO {table}")


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        pytest.param("read_only", "read-only", marks=pytest.mark.second_tier),
        pytest.param("lesson_event", 'relation "lesson_event" does not exist', marks=pytest.mark.second_tier),
        ("progress_alembic_version", "no tables of ours"),
    ],
    ids=["read-only", "a table is missing", "migrations are missing"],
)
def test_reading_stops_with_a_loud_line_and_nothing_is_dead_lettered(system: System, fault: str, detail: str) -> None:
    lines = oulad.generate(900)
    first, second, third = lines[:400], lines[400:600], lines[600:]
    worker = system.start_worker(2)
    system.start_beat()
    system.publish_bodies(first)
    system.assert_exact(oulad.parse(first))
    recorded = system.recorded()
    with read_only(system) if fault == "read_only" else without(system, fault):
        if fault == "progress_alembic_version":  # nobody looks at it while all goes well
            execute(system.engine, TERMINATE)
        system.publish_bodies(second)
        stopped = worker.wait_for_line("reading_stopped", count=3)
        assert any(detail in line["detail"] for line in stopped)
        assert all(line["level"] == "error" for line in stopped)
        system.publish_bodies(third)
        waiting = system.unread() + sum(system.pending().values())
        if fault != "lesson_event":
            assert system.recorded() + waiting >= len(second) + recorded
        assert system.dead_letters() == {}
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_a_worker_started_before_the_migration_waits_for_it_without_reading(system: System) -> None:
    lines = oulad.generate(300)
    with without(system, "progress_alembic_version"):
        system.publish_bodies(lines)
        worker = system.start_worker(2)
        system.start_beat()
        worker.wait_for_line("reading_stopped", count=3)
        assert system.unread() == len(lines)
        assert system.pending() == {}
        assert worker.lines("batch_recorded") == []
    system.assert_exact(oulad.parse(lines))
