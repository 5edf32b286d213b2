"""`progress-worker audit`."""

import click

from worker.cli.audit_report import chosen_scope, follow, scope_options, show_findings


@click.command("audit")
@scope_options
@click.option("--sample", type=click.IntRange(1, 10_000_000), metavar="N", help="Only N random enrollments.")
def command(user_course: int | None, course: int | None, sample: int | None, as_json: bool) -> None:
    """Compare everything stored with the ledger.

    Exit status 1 if anything differs or could not be audited. Recomputes progress, positions, summaries, activity and
    course statistics from the recorded events with the reference rules, and lists rows of deleted enrollments.
    Read-only; workers may keep running. Stale rollups are not compared. `progress-worker rebuild` repairs the
    differences.
    """
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.audit.compare import audit_scope
    from worker.audit.findings import Findings
    from worker.audit.scope import count_scope
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings

    scope = chosen_scope(user_course, course, sample)
    settings = server_settings("DATABASE_URL")
    found = Findings()
    with open_database(settings) as engine:
        steps = audit_scope(engine, scope, settings.idle_cutoff_seconds, AnalysisThresholds.of(settings).stuck)
        follow(steps, found, "audited", count_scope(engine, scope))
    if as_json:
        show_json(found.as_mapping())
    else:
        show_findings(found, "audited")
    if found.differences or found.too_large:
        raise SystemExit(1)
