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
"data":{"user_course_id":1,"user_id":7,"course_id":5}}
{"specversion":"1.0","id":"2","source":"/try","type":"lesson.viewed","time":"2025-07-14T10:30:00Z",\
"data":{"user_course_id":1,"topic_id":3,"lesson_id":8}}"""
"""Two lines for `publish`, to copy from the screen."""


@click.command("up")
@click.option("--workers", type=click.IntRange(1, 64), help="Pool processes; default: one per CPU, up to four.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of the embedded servers; default: PROGRESS_EMBEDDED_DIRECTORY, else one of its own.",
)
@click.option(
    "--redis-port",
    type=click.IntRange(1, 65_535),
    help="Valkey's port; default: the last one, else 6379 or a free one.",
)
@click.option(
    "--postgresql-port",
    type=click.IntRange(1, 65_535),
    help="PostgreSQL's port; default: the last one, else 5432 or a free one.",
)
@click.option("--api", is_flag=True, help="Run the HTTP API too, on 127.0.0.1.")
@click.option("--api-port", type=click.IntRange(1, 65_535), default=8_000, show_default=True, help="Port of the API.")
def command(
    workers: int | None,
    directory: Path | None,
    redis_port: int | None,
    postgresql_port: int | None,
    api: bool,
    api_port: int,
) -> None:
    """Run a complete system until Ctrl-C.

    It has PostgreSQL, Valkey, a Celery worker, beat and, with --api, the HTTP API. Uses embedded servers, whose data
    and ports are kept, unless DATABASE_URL and REDIS_URL name others. Each directory can run a system of its own: the
    same user's commands, publishers and Celery find it there and in the directories below.
    """
    from worker.cli.child_processes import running_children, terminations_interrupt
    from worker.cli.local_system import processes
    from worker.cli.serve import listen

    if api:
        listen("127.0.0.1", api_port, anywhere=True).close()  # fail before starting the servers
    with terminations_interrupt():
        try:
            with ExitStack() as stack:
                system = _system(stack, directory, redis_port, postgresql_port)
                warn_of_other_system(system)
                children = stack.enter_context(
                    running_children(system, workers or processes(), quiet=False, api_port=api_port if api else None)
                )
                children.wait_until_ready()
                _announce(system, f"http://127.0.0.1:{api_port}" if api else None)
                while True:
                    children.check()
                    time.sleep(0.2)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


def _system(stack: ExitStack, directory: Path | None, redis_port: int | None, postgresql_port: int | None) -> "System":
    from worker import running_up
    from worker.cli.local_system import embedded_system, given_system
    from worker.cli.servers import given_settings
    from worker.embedded.state import default_directory
    from worker.settings import environment_settings

    given, own_directory = given_settings(), default_directory(running_up.name_for(Path.cwd()))
    if given is not None:
        return given_system(given, own_directory)
    if (other := running_up.started_in(Path.cwd())) is not None:
        raise InputError(
            "`progress-worker up` is already running in this directory, "
            f"with its data in {other.directory}: use it, or stop it first."
        )
    chosen = directory or environment_settings().embedded_directory or own_directory
    ports = {"redis_port": redis_port, "postgresql_port": postgresql_port}
    system = stack.enter_context(embedded_system(chosen, **ports, keep_ports=True))
    if up := system.as_running_up:
        stack.enter_context(running_up.publish(up))
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
    lines = ["", "Running until Ctrl-C.", *(f"  {line}" for line in system.shown_urls)]
    lines += [f"  API: {api}, documentation at {api}/docs"] if api else []
    lines += [f"  data and logs: {system.directory}"] if system.servers else []
    lines += ["  found without these variables in and below: " + str(Path.cwd())] if system.servers else []
    lines += ["", "In another terminal:", "  progress-worker publish - <<'EOF'", EXAMPLE, "EOF"]
    lines += ["  progress-worker summary 1", "  progress-worker status", ""]
    click.echo("\n".join(lines))
