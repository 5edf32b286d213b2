"""`progress-worker replay`: apply again the entries that are still in the streams."""

from contextlib import closing
from datetime import datetime

import click

from worker.cli.option_values import to_time


@click.command("replay")
@click.option(
    "--since",
    callback=to_time,
    metavar="TIME",
    help="Only entries since this time by Redis' clock, such as 2025-07-14T10:30:00Z.",
)
@click.option("--dry-run", is_flag=True, help="Count the entries without applying them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(since: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Apply again the entries that are still in Redis.

    Workers do this automatically when they detect that PostgreSQL has lost commits. Recorded events change nothing, so
    it is safe while they run and to repeat. Redis keeps acknowledged entries for PROGRESS_REPLAY_WINDOW_SECONDS.
    """
    from worker.cli.output import show, show_json
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import explained, open_database, server_settings
    from worker.failover.replay import replay_all
    from worker.streams import connection as stream_connection
    from worker.streams.keys import Keys

    first = (0 if since is None else max(0, int(since.timestamp() * 1000)), 0)
    settings = server_settings()
    keys = Keys.of(settings)
    with (
        open_database(settings) as engine,
        explained(settings),
        open_progress("replayed", total=None) as progress,
        closing(stream_connection.connect(settings)) as redis,
    ):
        for so_far in replay_all(engine, redis, keys, settings.batch_size, first, is_dry_run=dry_run):
            progress.update(so_far.entries, f"{so_far.entries:,} entries")
    entries, total = so_far.entries, so_far.outcome
    if as_json:
        show_json({"entries": entries, "dry_run": dry_run, **total.counts})
    elif dry_run:
        show(f"entries that would be applied again: {entries:,}")
    else:
        show(f"entries: {entries:,}", f"applied: {total.applied:,}", f"already recorded: {total.repeated:,}")
        if total.superseded:
            show(f"older than what is known: {total.superseded:,}")
        show(f"parked for their enrollment: {total.parked:,}", f"refused, see `dead-letters list`: {total.rejected:,}")
        show(f"deferred by a lock: {len(total.deferred):,}")
