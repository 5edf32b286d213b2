"""`progress-worker replay`: apply again the entries that are still in the streams."""

from contextlib import closing
from datetime import datetime

import click

from worker.errors import InputError


@click.command("replay")
@click.option("--since", metavar="TIME", help="Only entries since TIME by Redis' clock, such as 2025-07-14T10:30:00Z.")
@click.option("--dry-run", is_flag=True, help="Count the entries without applying them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(since: str | None, dry_run: bool, as_json: bool) -> None:
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

    first = (_milliseconds(since), 0)
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


def _milliseconds(since: str | None) -> int:
    if since is None:
        return 0
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InputError(f"--since {since}: give a time with an offset, such as 2025-07-14T10:30:00Z.")
    return max(0, int(at.timestamp() * 1000))
