"""`progress-worker health`: for orchestrators; `live` touches no server and imports nothing heavy."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker import health
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.settings import Settings

READY_SECONDS = 4.0
"""All checks together; one that has not answered by then has failed."""


@click.group("health")
def command() -> None:
    """Say by the exit status whether this host's worker lives, or whether the system is ready for work."""


@command.command("live")
def live() -> None:
    """Exit 0 while a worker runs on this host and none of its consumers hangs. Asks no server."""
    alive, reason = health.live(_directory(), _silent_seconds())
    click.echo(reason)
    sys.exit(0 if alive else 1)


@command.command("ready")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ready(as_json: bool) -> None:
    """Exit 0 when PostgreSQL answers, has our tables and can be written, and Redis answers. Takes 4 s at most."""
    from worker.cli.output import show_json
    from worker.cli.servers import server_settings

    problems = check(server_settings())
    if as_json:
        checks = {name: {"ok": problem is None, "detail": problem} for name, problem in problems.items()}
        show_json({"ready": not any(problems.values()), "checks": checks})
    else:
        for name, problem in problems.items():
            click.echo(f"{name}: {problem or 'ok'}")
    sys.exit(1 if any(problems.values()) else 0)


def check(settings: "Settings") -> dict[str, str | None]:
    """Ask both servers at once; each name's problem in a sentence, None where all is well."""
    from threading import Thread
    from time import monotonic

    impatient = settings.model_copy(
        update={"connect_timeout_seconds": 2, "socket_timeout_seconds": 2, "statement_timeout_seconds": 2}
    )
    answers: dict[str, str | None] = {}
    checks: dict[str, Callable[[Settings], None]] = {"PostgreSQL": _database, "Redis": _redis}

    def run(name: str) -> None:
        from worker.errors import ProgressError

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
    return {name: answers.get(name, f"no answer within {READY_SECONDS:.0f} s") for name in checks}


def _database(settings: "Settings") -> None:
    from worker.cli.servers import open_database

    with open_database(settings):
        return


def _redis(settings: "Settings") -> None:
    from worker.stream import connection

    with connection.explained(settings):
        redis = connection.connect(settings)
        redis.ping()
        redis.close()


def _directory() -> Path:
    given = os.environ.get("PROGRESS_RUNTIME_DIRECTORY")
    return Path(given) if given else health.DEFAULT_DIRECTORY


def _silent_seconds() -> float:
    given = os.environ.get("PROGRESS_SILENT_SECONDS")
    try:
        return float(given) if given else health.DEFAULT_SILENT_SECONDS
    except ValueError:
        raise ConfigurationError(f"PROGRESS_SILENT_SECONDS: {given!r} is not a number of seconds.") from None
