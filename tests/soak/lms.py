"""An LMS at work on the same tables: writes enrollments in random order, and now and then keeps some locked long."""

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from worker.database.failures import is_lock_timeout

ROWS = 8
"""Most rows that a transaction of it writes."""
LONG_SHARE = 0.02
LONG_SECONDS = 20.0
PAUSE_SECONDS = 0.02

_WRITE = text("UPDATE user_course SET lms_note = lms_note WHERE id = :id")


class Lms:
    """Writes from a thread of its own for as long as the block lasts. `enrollments`: the highest id there may be."""

    def __init__(self, engine: Engine, enrollments: Callable[[], int], seed: int) -> None:
        self.transactions = 0
        self.long = 0
        """Of them, so many kept their rows for up to LONG_SECONDS."""
        self.lost: list[str] = []
        """Errors that PostgreSQL chose it for: a deadlock above all."""
        self._engine = create_engine(engine.url, pool_pre_ping=True)
        self._enrollments = enrollments
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE user_course ADD COLUMN lms_note text"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            try:
                self._write()
            except DBAPIError as error:  # a restart is the soak's doing
                if is_lock_timeout(error):
                    self.lost.append(str(error.orig))

    def _write(self) -> None:
        highest = self._enrollments()
        keys = self._chance.sample(range(1, highest + 1), min(ROWS, highest))
        is_long = self._chance.random() < LONG_SHARE
        with self._engine.begin() as connection:
            for key in keys:
                connection.execute(_WRITE, {"id": key})
                time.sleep(0.001)
            if is_long:
                self._over.wait(self._chance.uniform(1, LONG_SECONDS))
        self.transactions += 1
        self.long += is_long
