"""`progress-worker rebuild`."""

import click

from worker.cli.audit_report import Report, chosen_scope, follow, scope_options
from worker.cli.id_type import ID
from worker.errors import InputError


@click.command("rebuild")
@scope_options
@click.option("--dry-run", is_flag=True, help="Show the changes without making them.")
@click.option("--after", type=ID, metavar="COURSE", help="Continue an interrupted run after this course.")
def command(user_course: int | None, course: int | None, dry_run: bool, after: int | None, as_json: bool) -> None:
    """Repair everything that differs from the ledger.

    Exit status 1 if anything could not be repaired. Safe while workers run and to repeat: writes only what differs. A
    row without events is reset to not_started, never deleted; rows of deleted enrollments are deleted. --dry-run shows
    the changes first. Repaired rows are audited again and remaining differences reported.
    """
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.audit.compare import audit_scope
    from worker.audit.repair import rebuild_scope
    from worker.audit.scope import count_scope
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings

    if after is not None and (user_course is not None or course is not None or dry_run):
        raise InputError("--after continues a full rebuild: omit --user-course, --course and --dry-run.")
    scope = chosen_scope(user_course, course)
    settings = server_settings("DATABASE_URL")
    report = Report(last_course_id=after or 0)
    with open_database(settings) as engine:
        total, thresholds = count_scope(engine, scope), AnalysisThresholds.of(settings).stuck
        if dry_run:
            steps = audit_scope(engine, scope, settings.idle_cutoff_seconds, thresholds)
        else:
            seconds = settings.statistics_timeout_seconds
            steps = rebuild_scope(engine, scope, seconds, thresholds, settings.idle_cutoff_seconds, after or 0)
        try:
            follow(steps, report, "audited", total)
        except KeyboardInterrupt:
            if not dry_run:
                _show_how_to_continue(report, whole=scope == chosen_scope(None, None))
            raise
    if as_json:
        show_json(report.as_mapping())
    else:
        report.show("audited, nothing changed" if dry_run else "audited and repaired")
    if not report.is_repaired:
        raise SystemExit(1)


def _show_how_to_continue(report: Report, *, whole: bool) -> None:
    again = f"continue with `progress-worker rebuild --after {report.last_course_id}`"
    if not whole or not report.last_course_id:
        again = "start it again"
    click.echo(f"Interrupted. Repairs made so far are kept; {again}.", err=True)
