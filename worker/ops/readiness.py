"""Check whether the system is ready. Both servers are asked concurrently, with a bounded wait."""

from collections.abc import Callable
from threading import Thread
from time import monotonic

from worker.database import schema
from worker.database.engine import open_engine
from worker.database.failures import explained
from worker.errors import ProgressError, ServerUnavailableError
from worker.failover.ownership import check_system
from worker.ops.clocks import Clocks, postgresql_ahead, redis_ahead
from worker.ops.degradation import find_degradation
from worker.ops.misrouted_tasks import find_misrouted_tasks
from worker.ops.redis_configuration import check_writable
from worker.settings import Settings
from worker.streams import connection
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays

READY_SECONDS = 4.0
"""Time limit of all checks together; a check without an answer by then has failed."""


def check_readiness(settings: Settings) -> dict[str, str | None]:
    """Return each server's problem as a sentence, None if PostgreSQL is writable and Redis accepts events.

    If both are fine, also `System` when the streams belong to another system, and `Clocks` when the clocks of the
    servers and this host differ by more than the settings allow.
    """
    impatient = settings.impatient()
    problems: dict[str, str | None] = {}
    ahead: dict[str, float] = {}
    checks: dict[str, Callable[[Settings], float]] = {"PostgreSQL": _check_database, "Redis": _check_redis}

    def run(name: str) -> None:
        try:
            ahead[name] = checks[name](impatient)
            problems[name] = None
        except ProgressError as error:
            problems[name] = str(error)

    threads = [Thread(target=run, args=[name], daemon=True) for name in checks]
    deadline = monotonic() + READY_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - monotonic()))
    answers = {name: problems.get(name, f"no answer within {READY_SECONDS:.0f} s") for name in checks}
    if not any(answers.values()):
        complaint = Clocks(ahead["PostgreSQL"], ahead["Redis"]).complaint(settings.clock_tolerance_seconds)
        if complaint:
            answers["Clocks"] = complaint
        if foreign := _foreign_streams(impatient):
            answers["System"] = foreign
    return answers


def read_degradation(settings: Settings) -> dict[str, str]:
    """Return `find_degradation` of a ready system and its misrouted tasks; nothing if a server is unavailable."""
    impatient = settings.impatient()
    engine, redis = open_engine(impatient), connection.connect(impatient)
    try:
        with explained(settings), connection.explained(settings), engine.connect() as connected:
            _, strays = with_strays(redis, Keys.of(settings))
            degradation = find_degradation(connected, strays)
    except ProgressError:
        return {}
    finally:
        engine.dispose()
        redis.close()
    misrouted = find_misrouted_tasks(impatient)
    return degradation | ({"misrouted_tasks": " ".join(misrouted)} if misrouted else {})


def _check_database(settings: Settings) -> float:
    """Return how many seconds its clock is ahead of this host's. Raises ProgressError."""
    engine = open_engine(settings)
    try:
        with explained(settings), engine.connect() as connected:
            schema.check(connected)
            return postgresql_ahead(connected)
    finally:
        engine.dispose()


def _check_redis(settings: Settings) -> float:
    """Return how many seconds its clock is ahead of this host's. Raises ProgressError."""
    with connection.explained(settings):
        redis = connection.connect(settings)
        problem = check_writable(redis)
        ahead = redis_ahead(redis)
        redis.close()
    if problem:
        raise ServerUnavailableError(problem)
    return ahead


def _foreign_streams(settings: Settings) -> str | None:
    engine, redis = open_engine(settings), connection.connect(settings)
    try:
        with explained(settings), connection.explained(settings):
            check_system(engine, redis, Keys.of(settings))
    except ProgressError as error:
        return str(error)
    finally:
        engine.dispose()
        redis.close()
    return None
