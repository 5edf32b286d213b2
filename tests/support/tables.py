"""Look at the tables, and change them as an LMS or a person would."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from worker.database.models import Base

TABLES = tuple(sorted(Base.metadata.tables))

_PASSING = {
    "user_course": ["stale_since"],
    "user_course_progress": ["id"],
    "user_course_summary": ["outline_version", "refreshed_at"],
    "course": ["version", "stale_since"],
    "enrollment_event": ["arrival"],
    "outline_event": ["arrival"],
    "course_statistics": ["as_of"],
    "dead_letter": ["id", "entry_id"],
    "enrollment_activity": ["refreshed_at"],
}
"""Columns that tell how or when something came, not what it is."""

_OF_CONSUMERS = {"progress_system", "stream_position"}
"""What consumers remember of their own work, also of what came again."""

_MARKS = {"course_change", "enrollment_change", "activity_change"}
"""Hold nothing else."""


def rows(engine: Engine, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """The rows of a query, as plain tuples."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql), parameters)]


def execute(engine: Engine, *statements: str, **parameters: object) -> None:
    """Run statements in one transaction and commit."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), parameters)


def insert_as_lms(engine: Engine, *ids: int, user_id: int = 70, course_id: int = 30) -> None:
    """Insert enrollments by SQL, the way an LMS does that knows nothing of us."""
    for each in ids:
        execute(engine, f"INSERT INTO user_course (id, user_id, course_id) VALUES ({each}, {user_id}, {course_id})")


def clear(engine: Engine) -> None:
    """Empty every table."""
    names = ("external_enrollment", "external_id")
    emptied = ("user_course", "course", "dead_letter", "course_statistics", *names, *sorted(_MARKS))
    execute(engine, *(f"DELETE FROM {name}" for name in emptied))


def snapshot(engine: Engine, but: Collection[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that events made, with the transaction that wrote it: equal only if nothing was written in between.

    `but`: tables that are left out.
    """
    return {
        name: rows(engine, f"SELECT xmin::text, ctid::text, * FROM {name} ORDER BY ctid")
        for name in TABLES
        if name not in {*_OF_CONSUMERS, *but}
    }


def contents(engine: Engine) -> dict[str, list[str]]:
    """Every row that events made, without what depends on when and how it came there."""
    return {
        name: sorted(
            line
            for (line,) in rows(
                engine,
                f"SELECT (to_jsonb(t) - CAST(:left_out AS text[]))::text FROM {name} AS t",
                left_out=["created_at", "updated_at", "recorded_at", *_PASSING.get(name, ())],
            )
        )
        for name in TABLES
        if name not in _MARKS | _OF_CONSUMERS
    }


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    """Collect what is sent to PostgreSQL while the block runs: each statement, and BEGIN, COMMIT, ROLLBACK."""
    sent: list[str] = []

    def statement(_connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        sent.append(sql)

    def mark(word: str) -> Any:
        return lambda _connection: sent.append(word)

    listeners = [("before_cursor_execute", statement)]
    listeners += [(name, mark(name.upper())) for name in ("begin", "commit", "rollback")]
    for name, listener in listeners:
        event.listen(engine, name, listener)
    yield sent
    for name, listener in listeners:
        event.remove(engine, name, listener)
