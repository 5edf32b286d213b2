"""`progress-worker up`: run a complete system until Ctrl-C."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.errors import InputError

if TYPE_CHECKING:
    from worker.cli.local_system import System

EXAMPLE = """\
{"specversion":"1.0","id":"1","source":"/try","type":"enrollment.created","time":"2025-07-14T10:00:00Z",\
"data":{"user_course_id":1,"user_id":7,"course_id":3}}
{"specversion":"1.0","id":"2","source":"/try","type":"lesson.viewed","time":"2025-07-14T10:30:00Z",\
"data":{"user_course_id":1,"topic_id":3,"lesson_id":8}}"""
"""Two lines for `publish`, to copy from the screen."""


@click.command("up")
@click.option("--workers", type=click.IntRange(1, 64), help="Pool processes; default: one per CPU, up to four.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of the embedded servers; default: PROGRESS_EMBEDDED_DIRECTORY, else a private one.",
)
@click.option("--api", is_flag=True, help="Run the HTTP API too, on 127.0.0.1.")
@click.option("--api-port", type=click.IntRange(1, 65_535), default=8_000, show_default=True, help="Port of the API.")
def command(workers: int | None, directory: Path | None, api: bool, api_port: int) -> None:
    """Run a complete system until Ctrl-C.

    It has PostgreSQL, Valkey, a Celery worker, beat and, with --api, the HTTP API. Uses embedded servers, whose data is
    kept, unless DATABASE_URL and REDIS_URL name others. All other commands of the same user find the embedded servers
    automatically.
    """
    from worker.cli.child_processes import running_children, terminations_interrupt
    from worker.cli.local_system import processes
    from worker.cli.serve import listen

    if api:
        listen("127.0.0.1", api_port, anywhere=True).close()  # fail before starting the servers
    with terminations_interrupt():
        try:
            with ExitStack() as stack:
                system = _system(stack, directory)
                warn_of_other_system(system)
                children = stack.enter_context(
                    running_children(
                        system.settings,
                        system.directory,
                        workers or processes(),
                        quiet=False,
                        api_port=api_port if api else None,
                    )
                )
                children.wait_until_ready()
                _announce(system, f"http://127.0.0.1:{api_port}" if api else None)
                while True:
                    children.check()
                    time.sleep(0.2)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


def _system(stack: ExitStack, directory: Path | None) -> "System":
    from worker.cli.local_system import embedded_system, given_system
    from worker.cli.servers import given_settings
    from worker.embedded.state import default_directory, publish_state, running
    from worker.settings import get_settings

    given = given_settings()
    if given is not None:
        return given_system(given, default_directory("up"))
    if (other := running()) is not None:
        raise InputError(
            f"`progress-worker up` is already running with its data in {other.directory}: use it, or stop it first."
        )
    chosen = directory or get_settings().embedded_directory or default_directory("up")
    system = stack.enter_context(embedded_system(chosen))
    assert system.servers is not None  # noqa: S101 - for the type checker
    stack.enter_context(publish_state(system.servers))
    return system


def warn_of_other_system(system: "System") -> None:
    """Warn if only one embedded server has lost its data, as the worker will not read the streams then."""
    from worker.cli.servers import explained, open_database
    from worker.errors import OtherSystemError
    from worker.failover.ownership import check_system
    from worker.streams import connection as stream_connection
    from worker.streams.keys import Keys

    settings = system.settings
    with open_database(settings) as engine, explained(settings):
        redis = stream_connection.connect(settings)
        try:
            check_system(engine, redis, Keys.of(settings))
        except OtherSystemError as error:
            click.echo(f"Warning: {error}", err=True)
        finally:
            redis.close()


def _announce(system: "System", api: str | None) -> None:
    lines = ["", "Running until Ctrl-C.", *(f"  {name}={url}" for name, url in system.shown_urls().items())]
    lines += [f"  API: {api}, documentation at {api}/docs"] if api else []
    lines += [f"  data and logs: {system.directory}"] if system.servers else []
    lines += ["", "In another terminal:", "  progress-worker publish - <<'EOF'", EXAMPLE, "EOF"]
    lines += ["  progress-worker summary 1", "  progress-worker status", ""]
    click.echo("\n".join(lines))
