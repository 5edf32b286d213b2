"""`progress-worker rebuild`."""

import click

from worker.cli.audit_report import Report, chosen_scope, follow, scope_options
from worker.errors import InputError

COURSE_ID = click.IntRange(1, 2**63 - 1)


@click.command("rebuild")
@scope_options
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@click.option("--after", type=COURSE_ID, metavar="COURSE", help="Go on where an interrupted run ended.")
def command(user_course: int | None, course: int | None, dry_run: bool, after: int | None, as_json: bool) -> None:
    """Repair everything stored that differs from the ledger; exit status 1 if something could not be repaired.

    Safe while workers run, and at any time again: only what differs is written. A row that no event made is set back to
    not_started, never deleted; rows of enrollments that are gone are. --dry-run shows all of it before. What was
    repaired is audited again: what differs all the same is told.
    """
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.audit.compare import audit_scope
    from worker.audit.repair import rebuild_scope
    from worker.audit.scope import count_scope
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings

    if after is not None and (user_course is not None or course is not None or dry_run):
        raise InputError("--after goes on with everything: leave out --user-course, --course and --dry-run.")
    scope = chosen_scope(user_course, course)
    settings = server_settings("DATABASE_URL")
    report = Report(last_course_id=after or 0)
    with open_database(settings) as engine:
        total, rules = count_scope(engine, scope), AnalysisThresholds.of(settings).stuck
        if dry_run:
            steps = audit_scope(engine, scope, settings.idle_cutoff_seconds, rules)
        else:
            seconds = settings.statistics_timeout_seconds
            steps = rebuild_scope(engine, scope, seconds, rules, settings.idle_cutoff_seconds, after or 0)
        try:
            follow(steps, report, "examined", total)
        except KeyboardInterrupt:
            if not dry_run:
                _tell_how_to_go_on(report, whole=scope == chosen_scope(None, None))
            raise
    if as_json:
        show_json(report.as_mapping())
    else:
        report.show("examined, nothing changed" if dry_run else "examined and repaired")
    if not report.is_repaired:
        raise SystemExit(1)


def _tell_how_to_go_on(report: Report, *, whole: bool) -> None:
    again = f"go on with `progress-worker rebuild --after {report.last_course_id}`"
    if not whole or not report.last_course_id:
        again = "start it again"
    click.echo(f"Interrupted. What is repaired stays so; {again}.", err=True)
