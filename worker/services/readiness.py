"""Whether the system is ready for work: both servers asked at once, with a bounded wait."""

from collections.abc import Callable
from threading import Thread
from time import monotonic

from worker.errors import ProgressError, ServerUnavailableError
from worker.services.system import check_system
from worker.settings import Settings
from worker.storage import database, schema
from worker.stream import connection
from worker.stream.advice import refuses_events
from worker.stream.keys import Keys

READY_SECONDS = 4.0
"""All checks together; one that has not answered by then has failed."""


def check_readiness(settings: Settings) -> dict[str, str | None]:
    """Each server's problem in a sentence, None where PostgreSQL is ours to write and Redis takes events.

    Also `System`, where both answer and the streams belong to another one.
    """
    impatient = settings.model_copy(
        update={"connect_timeout_seconds": 2, "socket_timeout_seconds": 2, "statement_timeout_seconds": 2}
    )
    answers: dict[str, str | None] = {}
    checks: dict[str, Callable[[Settings], None]] = {"PostgreSQL": _check_database, "Redis": _check_redis}

    def run(name: str) -> None:
        try:
            checks[name](impatient)
            answers[name] = None
        except ProgressError as error:
            answers[name] = str(error)

    threads = [Thread(target=run, args=[name], daemon=True) for name in checks]
    deadline = monotonic() + READY_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - monotonic()))
    problems = {name: answers.get(name, f"no answer within {READY_SECONDS:.0f} s") for name in checks}
    if not any(problems.values()) and (foreign := _foreign_streams(impatient)):
        problems["System"] = foreign
    return problems


def _check_database(settings: Settings) -> None:
    engine = database.connect(settings)
    try:
        with database.explained(settings), engine.connect() as connected:
            schema.check(connected)
    finally:
        engine.dispose()


def _check_redis(settings: Settings) -> None:
    with connection.explained(settings):
        redis = connection.connect(settings)
        problem = refuses_events(redis)
        redis.close()
    if problem:
        raise ServerUnavailableError(problem)


def _foreign_streams(settings: Settings) -> str | None:
    engine, redis = database.connect(settings), connection.connect(settings)
    try:
        with database.explained(settings), connection.explained(settings):
            check_system(engine, redis, Keys(settings.stream_key, settings.stream_partitions))
    except ProgressError as error:
        return str(error)
    finally:
        engine.dispose()
        redis.close()
    return None
