"""Whether the system is ready for work: both servers asked at once, with a bounded wait."""

from collections.abc import Callable
from threading import Thread
from time import monotonic

from worker.errors import ProgressError, ServerUnavailableError
from worker.services.clocks import Clocks, postgresql_ahead, redis_ahead
from worker.settings import Settings
from worker.storage import database, schema
from worker.stream import connection
from worker.stream.advice import refuses_events

READY_SECONDS = 4.0
"""All checks together; one that has not answered by then has failed."""


def check_readiness(settings: Settings) -> dict[str, str | None]:
    """Each server's problem in a sentence, None where PostgreSQL is ours to write and Redis takes events.

    Also `Clocks`, where both answer and their clocks and this host's differ by more than the settings allow.
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
    return answers


def _check_database(settings: Settings) -> float:
    """How far its clock is ahead of this host's. Raises ProgressError."""
    engine = database.connect(settings)
    try:
        with database.explained(settings), engine.connect() as connected:
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
