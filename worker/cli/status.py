"""`progress-worker status`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from worker.ops.status import Status


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show backlog, row counts, rollup lag and warnings.

    Row counts with a ~ are PostgreSQL's estimates. A rollup (summaries, activity, course statistics) shows the time of
    its oldest missing change, except for failed refreshes, which are reported as warnings. The last commit is that of
    the newest ledger row.
    """
    from worker.cli.output import show_json

    found = read_servers()
    if as_json:
        show_json(as_mapping(found))
    else:
        _show(found)


def read_servers() -> "Status":
    """Return the status of the system in the settings. Raises ProgressError."""
    from worker.cli.servers import explained, open_database, server_settings
    from worker.ops.status import read_status
    from worker.streams import connection as stream_connection

    settings = server_settings()
    with open_database(settings) as engine, explained(settings):
        redis = stream_connection.connect(settings)
        found = read_status(settings, redis, engine)
        redis.close()
    return found


def as_mapping(found: "Status") -> dict[str, Any]:
    """Return the status for scripts."""
    return {
        "streams": [asdict(each) | asdict(found.accounts[each.stream]) for each in found.streams],
        "stray_streams": found.stray_streams,
        "lag": found.lag,
        "pending": found.pending,
        "dead_letters": found.dead_letters,
        "rows": {name: asdict(count) for name, count in found.rows.items()},
        "names": found.names,
        "rollups": {name: asdict(rollup) for name, rollup in found.rollups.items()},
        "failed": {name: asdict(failed) for name, failed in found.failed.items()},
        "last_recorded_at": found.last_recorded_at,
        "clocks": {**asdict(found.clocks), "difference_seconds": found.clocks.difference_seconds},
        "versions": {"postgresql": found.postgresql_version, "redis": found.redis_version},
        "warnings": found.warnings,
        "system": asdict(found.system),
        "repairs": asdict(found.repairs),
        "totals": asdict(found.totals),
        "doubtful_events": asdict(found.doubtful),
    }


def _show(found: "Status") -> None:
    from rich.filesize import decimal
    from rich.text import Text

    from worker.cli.output import duration, new_table, show
    from worker.formatting import counted
    from worker.identity.map_counts import COUNTED_EXACTLY

    figures = ("length", "lag", "pending", "oldest pending", "oldest unread", "consumers")
    spare = ("consumers", "length", "oldest pending", "pending")
    streams = new_table("Streams", "stream", *figures, numbers=figures, spare=spare)
    for each in found.streams:
        streams.add_row(
            each.stream,
            f"{each.length:,}",
            f"{each.lag:,}",
            f"{each.pending:,}",
            duration(each.oldest_pending_seconds),
            duration(each.oldest_unread_seconds),
            str(each.consumers),
        )
    length = sum(each.length for each in found.streams)
    streams.add_section()
    streams.add_row(
        "all",
        f"{length:,}",
        f"{found.lag:,}",
        f"{found.pending:,}",
        duration(max((each.oldest_pending_seconds or 0 for each in found.streams), default=0) or None),
        duration(max((each.oldest_unread_seconds or 0 for each in found.streams), default=0) or None),
        "",
    )
    rows = new_table("Tables", "table", "rows", "on disk", numbers=["rows", "on disk"])
    for name, count in found.rows.items():
        rows.add_row(name, f"{'' if count.exact else '~'}{count.rows:,}", decimal(count.bytes))
    rollups = new_table("Rollups", "rollup", "as of", "behind", numbers=["behind"], spare=["as of"])
    for name, rollup in found.rollups.items():
        rollups.add_row(name, _time(rollup.as_of) if rollup.behind_seconds else "now", duration(rollup.behind_seconds))
    letters = new_table("Dead letters", "reason", "count", numbers=["count"])
    for reason, number in found.dead_letters.items():
        letters.add_row(reason, f"{number:,}")
    if found.streams:
        show(streams)
    else:
        show("No stream exists yet: nothing has been published, and no worker has started.", "")
    show(rows)
    show(rollups)
    show(letters if found.dead_letters else "No dead letters.", "")
    if found.last_recorded_at is None:
        last = "never"
    else:
        age = max(0.0, (found.asked_at - found.last_recorded_at).total_seconds())
        last = f"{_time(found.last_recorded_at)}, {duration(age)} ago"
    clocks = found.clocks
    ahead = (clocks.postgresql_ahead_seconds, clocks.redis_ahead_seconds)
    totals = found.totals
    if any(found.names.values()):
        marked = (f"{'~' * (count > COUNTED_EXACTLY)}{counted(count, kind)}" for kind, count in found.names.items())
        show(f"Names: {', '.join(marked)}")
    show(f"Superseded so far: {totals.superseded:,} events; dropped: {totals.dropped_members:,} invalid members")
    show(f"Last commit: {last}", "Clocks: PostgreSQL {:+.1f} s, Redis {:+.1f} s from this host's".format(*ahead))
    show(f"PostgreSQL {found.postgresql_version}, {found.redis_version}")
    for sentence in [*found.warnings, *_repairs(found), *_doubtful(found)]:
        show(Text(f"Warning: {sentence}", style="yellow"))


def _repairs(found: "Status") -> list[str]:
    """Describe the last losses and what to do about them."""
    repairs, sentences = found.repairs, []
    if repairs.commits_lost_at:
        done = f"{repairs.entries_replayed:,} entries were applied again"
        sentences.append(f"PostgreSQL had lost commits on {_time(repairs.commits_lost_at)}: {done}.")
    if repairs.redis_put_back_at:
        sentences.append(f"Redis had been restored to an older state on {_time(repairs.redis_put_back_at)}.")
    if repairs.publish_again_from:
        sentences.append(f"Publish again all events since {_time(repairs.publish_again_from)}: some may be missing.")
    return sentences


def _doubtful(found: "Status") -> list[str]:
    """Describe events that a wrong clock may have dated."""
    from worker.formatting import counted

    doubtful = found.doubtful
    if not doubtful.events:
        return []
    of = f"enrollment {doubtful.first}"
    if doubtful.enrollments > 1:
        of = f"{counted(doubtful.enrollments, 'enrollment')}, the first of them {doubtful.first}"
    doubt = f"{counted(doubtful.events, 'event')} of {of}: dated before the enrollment was created, but applied."
    return [f"{doubt} If a clock was wrong, `progress-worker void` removes an event."]


def _time(at: "datetime") -> str:
    from datetime import UTC

    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
