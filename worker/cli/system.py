"""`progress-worker system`: show which system the database and the streams belong to, or adopt the streams."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from worker.cli.group import Group

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.failover.ownership import Ownership
    from worker.streams.connection import Redis


@click.group("system", cls=Group)
def command() -> None:
    """Show which system owns the streams, or adopt them.

    Workers read only the streams of their own system. A copy of a database with another name, in another PostgreSQL
    cluster, or after pg_upgrade is another system until it adopts the streams.
    """


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_system(as_json: bool) -> None:
    """Show the system of the database and of each stream."""
    from dataclasses import asdict

    from worker.cli.output import new_table, show, show_json
    from worker.printable import printable

    with _open_ownership() as (_, _, found):
        system, owners, streams = found.system, found.owners, found.keys.streams
    if as_json:
        of_streams = {stream: asdict(owners[stream]) if stream in owners else None for stream in streams}
        show_json({"system": asdict(system), "ours": not found.others, "streams": of_streams})
        return
    show(f"Database {printable(system.database)}, id {system.id}, PostgreSQL cluster {system.cluster or 'unknown'}", "")
    table = new_table("Streams", "stream", "belongs to", prose=["belongs to"])
    for stream in streams:
        other = owners.get(stream)
        if other is None:
            whose = "no system: adopt it" if found.was_refused else "no system yet: the first worker claims it"
        elif system.is_same(other):
            whose = "this system"
        else:
            whose = f"another system: database {printable(other.database)}, id {printable(other.id)}"
        table.add_row(stream, whose)
    show(table)


@command.command("adopt")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def adopt(yes: bool) -> None:
    """Assign the streams to this database after it has replaced the one they belonged to. Safe to repeat.

    Workers of the other database stop reading within a second. The next worker applies here what they acknowledged and
    Redis still has.
    """
    from worker.cli.output import show
    from worker.failover.ownership import adopt_streams
    from worker.printable import printable

    with _open_ownership(adopts=True) as (engine, redis, found):
        system = found.system
        if found.is_settled:
            show("Nothing to adopt: no stream belongs to another system.")
            return
        for stream, other in found.others.items():
            show(f"{stream}: belongs to database {printable(other.database)}, id {printable(other.id)}")
        if not found.owners:
            show(f"{found.keys.stream_key} and its partitions: of no system now, of another one before")
        if not yes:
            click.confirm(f"Assign these streams to database {system.database}, id {system.id}?", abort=True)
        adopt_streams(engine, redis, found)
    show(f"The streams now belong to database {printable(system.database)}.")


@contextmanager
def _open_ownership(*, adopts: bool = False) -> "Iterator[tuple[Engine, Redis, Ownership]]":
    """Open both servers for the block and read who owns the streams."""
    from worker.cli.servers import explained, open_database, server_settings, settings_to_change
    from worker.failover.ownership import read_ownership
    from worker.streams import connection as stream_connection
    from worker.streams.keys import Keys

    settings = settings_to_change() if adopts else server_settings()
    keys = Keys.of(settings)
    with (
        open_database(settings) as engine,
        explained(settings),
        closing(stream_connection.connect(settings)) as redis,
    ):
        yield engine, redis, read_ownership(engine, redis, keys)
