"""Hold the names of a file, in the order of the map's key, in memory that does not grow with the file."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from worker.errors import InputError
from worker.identity.map_csv import NumberedName

_TABLE = """
    CREATE TABLE name (
        kind TEXT, source TEXT, key TEXT, scope INTEGER, id INTEGER, topic_id INTEGER, line INTEGER,
        PRIMARY KEY (kind, source, key, scope)
    ) WITHOUT ROWID
"""
_ADD = "INSERT INTO name VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_AS_ADDED = "SELECT id, topic_id, line FROM name WHERE (kind, source, key, scope) = (?, ?, ?, ?)"
_OF_KIND = "SELECT * FROM name WHERE kind = ? ORDER BY source, key, scope"
_ABOVE = "SELECT * FROM name WHERE kind IN (?, ?) AND id > ? ORDER BY line LIMIT 1"

KINDS = ("course", "user", "topic", "lesson")
"""In the order in which a batch locks new names, so that neither waits for the other in a circle."""
CHUNK = 5_000


class Spool:
    """Distinct names on a temporary file of SQLite, which stays in memory while it is small."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.execute(_TABLE)

    def add(self, names: Iterable[NumberedName], file: str) -> Iterator[int]:
        """Add names, yielding the lines. Raises InputError if one is there with two numbers, or without room."""
        for name in names:
            try:
                added = self._database.execute(_ADD, name).rowcount
            except sqlite3.OperationalError as error:
                raise InputError(f"{file} cannot be checked: no room for a temporary file ({error}).") from None
            if not added:
                self._refuse_another_number(name, file)
            yield name.line

    def chunks(self) -> Iterator[list[NumberedName]]:
        """Yield all names, those of a chunk in the order of the key and of one kind."""
        for kind in KINDS:
            rows = self._database.execute(_OF_KIND, (kind,))
            while chunk := [NumberedName(*row) for row in rows.fetchmany(CHUNK)]:
                yield chunk

    def first_above(self, kinds: tuple[str, str], number: int) -> NumberedName | None:
        """Return the first of these two kinds with a larger number."""
        row = self._database.execute(_ABOVE, (*kinds, number)).fetchone()
        return NumberedName(*row) if row else None

    def _refuse_another_number(self, name: NumberedName, file: str) -> None:
        key = (name.kind, name.source, name.key, name.scope)
        number, topic_id, line = self._database.execute(_AS_ADDED, key).fetchone()
        if (number, topic_id) != (name.id, name.topic_id):
            raise InputError(
                f"{file}, line {name.line}: {name.kind} {name.key!a:.200} of {name.source!a:.100} has another number "
                f"on line {line}. Remove one of them."
            )


@contextmanager
def open_spool() -> Iterator[Spool]:
    """Open an empty one, which is gone after the block."""
    database = sqlite3.connect("", isolation_level=None)  # the name of a temporary one
    try:
        database.execute("BEGIN")
        yield Spool(database)
    finally:
        database.close()
