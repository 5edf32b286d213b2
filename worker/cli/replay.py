"""`progress-worker replay`: apply again the entries that are still in the streams."""

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
    from uuid import uuid4

    from worker.cli.output import show, show_json
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import explained, open_database, server_settings
    from worker.failover.ownership import check_system
    from worker.failover.replay import read_again, replay
    from worker.progress.outcome import Outcome
    from worker.streams import connection as stream_connection
    from worker.streams.keys import Keys
    from worker.streams.stray_streams import with_strays

    first = (_milliseconds(since), 0)
    settings = server_settings()
    name, entries, total = f"replay-{uuid4().hex[:8]}", 0, Outcome()
    with open_database(settings) as engine, explained(settings), open_progress("replayed", total=None) as progress:
        redis = stream_connection.connect(settings)
        keys, _ = with_strays(redis, Keys.of(settings))
        check_system(engine, redis, keys)
        for part in read_again(redis, keys, settings.batch_size, first):
            if not dry_run:
                total += replay(engine, redis, keys, part, name, lambda: True)
            entries += len(part)
            progress.update(entries, f"{entries:,} entries")
        redis.close()
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
