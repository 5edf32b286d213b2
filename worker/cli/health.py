"""`progress-worker health`: probes for orchestrators; `live` contacts no server and imports nothing heavy."""

import os
import sys
from pathlib import Path

import click

from worker import liveness
from worker.cli.group import Group
from worker.errors import ConfigurationError


@click.group("health", cls=Group)
def command() -> None:
    """Check whether the worker is live or the system ready."""


@command.command("live")
def live() -> None:
    """Exit 0 while a worker runs on this host and none of its consumers is stuck. Contacts no server."""
    alive, reason = liveness.live(_directory(), _silent_seconds())
    click.echo(reason)
    sys.exit(0 if alive else 1)


@command.command("ready")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ready(as_json: bool) -> None:
    """Exit 0 when PostgreSQL is reachable, migrated and writable, and Redis accepts events.

    A part that fails while everything else works is reported as degraded and does not change the exit status.
    """
    from worker.cli.output import show_json
    from worker.cli.servers import server_settings
    from worker.ops.readiness import check_readiness, read_degradation

    settings = server_settings()
    problems = check_readiness(settings)
    is_ready = not any(problems.values())
    degraded = read_degradation(settings) if is_ready else {}
    if as_json:
        checks = {name: {"ok": problem is None, "detail": problem} for name, problem in problems.items()}
        show_json({"ready": is_ready, "checks": checks} | ({"degraded": degraded} if degraded else {}))
    else:
        for name, problem in problems.items():
            click.echo(f"{name}: {problem or 'ok'}")
        for sentence in degraded.values():
            click.echo(f"Degraded: {sentence}")
    sys.exit(0 if is_ready else 1)


def _directory() -> Path:
    given = os.environ.get("PROGRESS_RUNTIME_DIRECTORY")
    return Path(given) if given else liveness.DEFAULT_DIRECTORY


def _silent_seconds() -> float:
    given = os.environ.get("PROGRESS_SILENT_SECONDS")
    try:
        return float(given) if given else liveness.DEFAULT_SILENT_SECONDS
    except ValueError:
        raise ConfigurationError(f"PROGRESS_SILENT_SECONDS: {given!r} is not a number of seconds.") from None
