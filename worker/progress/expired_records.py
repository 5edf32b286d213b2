"""Delete old records that could not be translated: they hold personal details, as they came."""

from collections.abc import Callable

from sqlalchemy import Engine, text

from worker.contract.entry import Reason

CHUNK = 1_000
"""Records looked at, and at most deleted, in one transaction."""

_DELETE = text("""
    WITH oldest AS (
        SELECT id, created_at FROM dead_letter WHERE reason = :reason ORDER BY id LIMIT :chunk
    )
    DELETE FROM dead_letter USING oldest
    WHERE dead_letter.id = oldest.id
      AND oldest.created_at < now() - make_interval(secs => 86400 * CAST(:days AS float8))
""")


def delete_old_records(engine: Engine, days: float, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the dead letters `not_translated` set aside more than `days` ago; return their number.

    In bounded transactions while `go_on()`, by PostgreSQL's clock. Idempotent; safe on several workers at once.
    """
    total, parameters = 0, {"reason": Reason.NOT_TRANSLATED.value, "chunk": CHUNK, "days": days}
    while True:
        with engine.begin() as connection:
            deleted = connection.execute(_DELETE, parameters).rowcount
        total += deleted
        if not deleted or not go_on():
            return total
