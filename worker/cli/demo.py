"""`progress-worker demo`: run a simulated class through the real system and compare every row with the model."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.errors import InputError

if TYPE_CHECKING:
    from worker.cli.child_processes import Children
    from worker.cli.local_system import System
    from worker.settings import Settings
    from worker.simulation.published import Published

CHUNK = 500
SETTLED_SECONDS = 60.0
"""Maximum time without progress."""
LOOK_SECONDS = 0.2


@click.command("demo")
@click.option(
    "--events",
    type=click.IntRange(300, 5_000_000),
    default=50_000,
    show_default=True,
    help="Number of events to publish.",
)
@click.option(
    "--learners",
    type=click.IntRange(1, 1_000_000),
    default=400,
    show_default=True,
    help="Number of learners in all courses.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed simulates another class.")
@click.option("--workers", type=click.IntRange(1, 64), help="Pool processes; default: one per CPU, up to four.")
@click.option("--keep", is_flag=True, help="Keep everything running at the end, until Ctrl-C.")
def command(events: int, learners: int, seed: int, workers: int | None, keep: bool) -> None:
    """Simulate a class on real servers and check every row.

    Runs a real Celery worker and beat. Events are duplicated, out of order, late, ahead of their enrollment, and
    malformed in every way. At the end all tables are compared with the result of the plain-Python reference model; exit
    status 1 if anything differs.
    """
    from worker.cli.child_processes import running_children, terminations_interrupt
    from worker.cli.demo_check import check
    from worker.cli.local_system import processes
    from worker.cli.servers import given_settings
    from worker.simulation.classroom import simulate

    given = given_settings()
    with terminations_interrupt(), ExitStack() as stack:
        click.echo(f"Simulating {learners:,} learners and {events:,} events (seed {seed}) …")
        published = simulate(seed, learners, events)
        system = _system(stack, given)
        click.echo("Starting a Celery worker and beat …")
        children = stack.enter_context(running_children(system, workers or processes(), quiet=True))
        children.wait_until_ready()
        seconds = _run(system, children, published)
        _wait_for_rollups(system, children)
        equal = check(system.settings, published)
        rate = len(published) / seconds
        click.echo(f"{len(published):,} events published and applied in {seconds:.1f} s: {rate:,.0f} a second.")
        if not equal:
            click.echo("Some rows are wrong. Please report this bug.", err=True)
        if keep:
            _stay(system, children)
    if not equal:
        raise SystemExit(1)


def _system(stack: ExitStack, given: "Settings | None") -> "System":
    from worker.cli.child_processes import SHORTENED
    from worker.cli.local_system import embedded_system, given_system

    directory = stack.enter_context(_temporary_directory())
    if given is None:
        click.echo("Starting PostgreSQL and Valkey …")
        system = stack.enter_context(embedded_system(directory))
    else:
        system = given_system(given, directory)
        _refuse_data_of_others(system)
    changes = {"runtime_directory": directory / "run", **dict.fromkeys(SHORTENED, 1)}
    return type(system)(system.settings.model_copy(update=changes), directory, system.servers)


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    from worker.embedded.state import default_directory

    directory = Path(tempfile.mkdtemp(dir=default_directory("demo"), prefix=f"{os.getpid()}-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _refuse_data_of_others(system: "System") -> None:
    """Raise InputError if the servers have data: whole tables are compared, and real data must not mix with a demo."""
    from worker.cli.servers import explained, open_database
    from worker.simulation.stored_tables import has_rows
    from worker.streams import connection as stream_connection
    from worker.streams.backlog import measure
    from worker.streams.keys import Keys

    settings = system.settings
    with open_database(settings) as engine, explained(settings):
        with engine.connect() as connection:
            used = has_rows(connection)
        redis = stream_connection.connect(settings)
        keys = Keys.of(settings)
        filled = [each.stream for each in measure(redis, keys.group, keys.streams) if each.length]
        redis.close()
    if used or filled:
        what = "The database of DATABASE_URL has rows" if used else f"The stream {filled[0]} of REDIS_URL has entries"
        raise InputError(
            f"{what}, but the demo needs empty servers: use others, or unset both variables to use embedded ones."
        )


def _run(system: "System", children: "Children", published: "list[Published]") -> float:
    """Publish everything while the worker runs and wait until it is applied; return the seconds taken."""
    from worker.cli.demo_view import open_view
    from worker.cli.servers import explained, open_database
    from worker.contract.entry import Reason

    strangers = sum(each.reason is Reason.UNKNOWN_ENROLLMENT for each in published)
    settings = system.settings
    with open_database(settings) as engine, explained(settings), open_view(settings, engine, len(published)) as view:
        started = time.monotonic()
        for start in range(0, len(published), CHUNK):
            view.publish(published[start : start + CHUNK])
            if view.is_due(LOOK_SECONDS):
                children.check()
                view.look()
        last_change, before = time.monotonic(), view.look()
        while not (view.drained and view.parked <= strangers):
            children.check()
            time.sleep(LOOK_SECONDS / 4)
            if (now := view.look()) != before:
                last_change, before = time.monotonic(), now
            elif time.monotonic() - last_change > SETTLED_SECONDS:
                break  # the comparison will show what is missing
        return time.monotonic() - started


def _wait_for_rollups(system: "System", children: "Children") -> None:
    """Wait until the scheduled tasks have refreshed every rollup; the comparison shows if they have not."""
    from worker.cli.servers import open_database
    from worker.database.rollup_lag import oldest_changes

    with open_database(system.settings) as engine, engine.connect() as connection:
        deadline = time.monotonic() + SETTLED_SECONDS
        while any(oldest_changes(connection).values()) and time.monotonic() < deadline:
            connection.rollback()
            children.check()
            time.sleep(LOOK_SECONDS)


def _stay(system: "System", children: "Children") -> None:
    from worker import running_up

    with ExitStack() as stack:
        try:
            if (up := system.as_running_up) and running_up.started_in(up.started_in) is None:
                stack.enter_context(running_up.publish(up))
            click.echo("Everything keeps running until Ctrl-C:")
            for line in system.shown_urls:
                click.echo(f"  {line}")
            while True:
                children.check()
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
