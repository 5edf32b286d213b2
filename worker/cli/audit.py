"""`progress-worker audit`."""

import click

from worker.cli.audit_report import Report, chosen_scope, follow, scope_options


@click.command("audit")
@scope_options
@click.option("--sample", type=click.IntRange(1, 10_000_000), metavar="N", help="Only so many enrollments, at random.")
def command(user_course: int | None, course: int | None, sample: int | None, as_json: bool) -> None:
    """Hold everything stored against the ledger; exit status 1 if anything differs or could not be examined.

    Progress, positions, summaries, activity, and the statistics and figures of courses are computed anew from the
    recorded events, by the plain rules, and rows of enrollments that are gone are listed. Changes nothing, and workers
    may run meanwhile; what they have yet to refresh is not compared. `progress-worker rebuild` repairs what it lists.
    """
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.audit.compare import audit_scope
    from worker.audit.scope import count_scope
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings

    scope = chosen_scope(user_course, course, sample)
    settings = server_settings("DATABASE_URL")
    report = Report()
    with open_database(settings) as engine:
        steps = audit_scope(engine, scope, settings.idle_cutoff_seconds, AnalysisThresholds.of(settings).stuck)
        follow(steps, report, "audited", count_scope(engine, scope))
    if as_json:
        show_json(report.as_mapping())
    else:
        report.show("audited")
    if report.differences or report.too_large:
        raise SystemExit(1)
