"""`progress-worker system`: show which system the database and the streams belong to, or adopt the streams."""

import click


@click.group("system")
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
    from worker.cli.servers import explained, open_database, server_settings
    from worker.contract.system_id import System
    from worker.database.system_table import identify, was_refused
    from worker.printable import printable
    from worker.streams import connection as stream_connection
    from worker.streams import owner_mark as streams
    from worker.streams.keys import Keys
    from worker.streams.stray_streams import with_strays

    settings = server_settings()
    with open_database(settings) as engine, explained(settings):
        with engine.connect() as connection:
            system, is_refused = identify(connection), was_refused(connection)
        redis = stream_connection.connect(settings)
        keys, _ = with_strays(redis, Keys.of(settings))
        owners = {stream: System.parse(text) for stream, text in streams.owners(redis, keys).items()}
        redis.close()
    if as_json:
        found = {stream: asdict(owners[stream]) if stream in owners else None for stream in keys.streams}
        ours = all(system.is_same(each) for each in owners.values())
        show_json({"system": asdict(system), "ours": ours, "streams": found})
        return
    show(f"Database {printable(system.database)}, id {system.id}, PostgreSQL cluster {system.cluster or 'unknown'}", "")
    table = new_table("Streams", "stream", "belongs to")
    for stream in keys.streams:
        other = owners.get(stream)
        if other is None:
            whose = "no system: adopt it" if is_refused else "no system yet: the first worker claims it"
        elif system.is_same(other):
            whose = "this system"
        else:
            whose = f"another system: database {printable(other.database)}, id {printable(other.id)}"
        table.add_row(stream, whose)
    show(table)


@command.command("adopt")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def adopt_streams(yes: bool) -> None:
    """Assign the streams to this database after it has replaced the one they belonged to. Safe to repeat.

    Workers of the other database stop reading within a second. The next worker applies here what they acknowledged and
    Redis still has.
    """
    from worker.cli.output import show
    from worker.cli.servers import explained, open_database, server_settings
    from worker.contract.system_id import System
    from worker.database.system_table import end_refusal, identify, was_refused
    from worker.printable import printable
    from worker.streams import connection as stream_connection
    from worker.streams import owner_mark as streams
    from worker.streams.keys import Keys
    from worker.streams.stray_streams import with_strays

    settings = server_settings()
    with open_database(settings) as engine, explained(settings):
        with engine.connect() as connection:
            system, is_refused = identify(connection), was_refused(connection)
        redis = stream_connection.connect(settings)
        keys, _ = with_strays(redis, Keys.of(settings))
        owners = {stream: System.parse(text) for stream, text in streams.owners(redis, keys).items()}
        others = {stream: other for stream, other in owners.items() if not system.is_same(other)}
        if not others and not is_refused:
            show("Nothing to adopt: no stream belongs to another system.")
            return
        for stream, other in others.items():
            show(f"{stream}: belongs to database {printable(other.database)}, id {printable(other.id)}")
        if not owners:
            show(f"{keys.stream_key} and its partitions: of no system now, of another one before")
        if not yes:
            click.confirm(f"Assign these streams to database {system.database}, id {system.id}?", abort=True)
        streams.take_over(redis, keys, str(system))
        with engine.begin() as connection:
            end_refusal(connection)
        redis.close()
    show(f"The streams now belong to database {printable(system.database)}.")
