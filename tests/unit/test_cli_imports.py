"""Commands answer at once: `--help` and `health live` import nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from worker.cli.main import main

HEAVY = {
    "alembic",
    "celery",
    "kombu",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "pydantic_settings",
    "redis",
    "rich",
    "sqlalchemy",
}

PROGRAM = """
import json, sys
from worker.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def commands(group: click.Group = main, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found: list[tuple[str, ...]] = [prefix]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        deeper = isinstance(command, click.Group)
        found += commands(command, (*prefix, name)) if isinstance(command, click.Group) else []
        found += [] if deeper else [(*prefix, name)]
    return found


def imported(*arguments: str, **environment: str) -> tuple[int, set[str], str]:
    """Exit status, top-level modules, and everything printed."""
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    output, _, answer = finished.stdout.rstrip("\n").rpartition("\n")
    code, modules = json.loads(answer)
    return code, set(modules), output + finished.stderr


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code, modules, output = imported(*command, "--help")
    assert code == 0
    assert output.startswith("Usage:")
    assert modules & HEAVY == set()


def test_health_live_imports_nothing_heavy_and_says_why_nothing_lives(tmp_path: Path) -> None:
    code, modules, output = imported("health", "live", PROGRESS_RUNTIME_DIRECTORY=str(tmp_path))
    assert (code, output) == (1, f"no worker runs here (looked in {tmp_path})")
    assert modules & HEAVY == set()


def test_health_live_sees_a_running_worker(tmp_path: Path) -> None:
    (tmp_path / f"worker-{os.getpid()}").touch()
    code, modules, output = imported("health", "live", PROGRESS_RUNTIME_DIRECTORY=str(tmp_path))
    assert (code, output) == (0, "1 worker process(es) live")
    assert modules & HEAVY == set()


def test_health_live_fails_when_a_consumer_is_silent_for_longer_than_allowed(tmp_path: Path) -> None:
    for kind in ("worker", "consumer"):
        (tmp_path / f"{kind}-{os.getpid()}").touch()
    beat = tmp_path / f"consumer-{os.getpid()}"
    os.utime(beat, (beat.stat().st_atime, beat.stat().st_mtime - 10))
    silent = {"PROGRESS_RUNTIME_DIRECTORY": str(tmp_path)}
    assert imported("health", "live", **silent, PROGRESS_SILENT_SECONDS="20")[0] == 0
    code, _, output = imported("health", "live", **silent, PROGRESS_SILENT_SECONDS="5")
    assert code == 1
    assert "went silent" in output


def test_health_live_refuses_a_limit_that_is_no_number(tmp_path: Path) -> None:
    code, _, output = imported(
        "health", "live", PROGRESS_RUNTIME_DIRECTORY=str(tmp_path), PROGRESS_SILENT_SECONDS="soon"
    )
    assert code == 1
    assert "PROGRESS_SILENT_SECONDS: 'soon' is not a number of seconds." in output
