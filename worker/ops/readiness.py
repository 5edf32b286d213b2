"""Whether the system is ready for work: both servers asked at once, with a bounded wait."""

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
from worker.ops.redis_configuration import refuses_events
from worker.settings import Settings
from worker.streams import connection
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays

READY_SECONDS = 4.0
"""All checks together; one that has not answered by then has failed."""


def check_readiness(settings: Settings) -> dict[str, str | None]:
    """Each server's problem in a sentence, None where PostgreSQL is ours to write and Redis takes events.

    Also `System`, where both answer and the streams belong to another one, and `Clocks`, where their clocks and this
    host's differ by more than the settings allow.
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
    """What a system that is ready cannot do all the same, by `find_degradation`; nothing when a server is away."""
    impatient = settings.impatient()
    engine, redis = open_engine(impatient), connection.connect(impatient)
    try:
        with explained(settings), connection.explained(settings), engine.connect() as connected:
            _, strays = with_strays(redis, Keys(settings.stream_key, settings.stream_partitions))
            return find_degradation(connected, strays)
    except ProgressError:
        return {}
    finally:
        engine.dispose()
        redis.close()


def _check_database(settings: Settings) -> float:
    """How far its clock is ahead of this host's. Raises ProgressError."""
    engine = open_engine(settings)
    try:
        with explained(settings), engine.connect() as connected:
            schema.check(connected)
            return postgresql_ahead(connected)
    finally:
        engine.dispose()


def _check_redis(settings: Settings) -> float:
    """How far its clock is ahead of this host's. Raises ProgressError."""
    with connection.explained(settings):
        redis = connection.connect(settings)
        problem = refuses_events(redis)
        ahead = redis_ahead(redis)
        redis.close()
    if problem:
        raise ServerUnavailableError(problem)
    return ahead


def _foreign_streams(settings: Settings) -> str | None:
    engine, redis = open_engine(settings), connection.connect(settings)
    try:
        with explained(settings), connection.explained(settings):
            check_system(engine, redis, Keys(settings.stream_key, settings.stream_partitions))
    except ProgressError as error:
        return str(error)
    finally:
        engine.dispose()
        redis.close()
    return None
