"""`progress-worker rebuild`."""

from typing import TYPE_CHECKING

import click

from worker.cli.audit_report import chosen_scope, follow, scope_options, show_findings
from worker.cli.id_type import ID
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.audit.findings import Findings


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
    from worker.audit.findings import Findings
    from worker.audit.repair import rebuild_scope
    from worker.audit.scope import count_scope
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, settings_to_change

    if after is not None and (user_course is not None or course is not None or dry_run):
        raise InputError("--after continues a full rebuild: omit --user-course, --course and --dry-run.")
    scope = chosen_scope(user_course, course)
    settings = settings_to_change("DATABASE_URL")
    found = Findings(last_course_id=after or 0)
    with open_database(settings) as engine:
        total, thresholds = count_scope(engine, scope), AnalysisThresholds.of(settings).stuck
        if dry_run:
            steps = audit_scope(engine, scope, settings.idle_cutoff_seconds, thresholds)
        else:
            seconds = settings.statistics_timeout_seconds
            steps = rebuild_scope(engine, scope, seconds, thresholds, settings.idle_cutoff_seconds, after or 0)
        try:
            follow(steps, found, "audited", total)
        except KeyboardInterrupt:
            if not dry_run:
                _show_how_to_continue(found, whole=scope == chosen_scope(None, None))
            raise
    if as_json:
        show_json(found.as_mapping())
    else:
        show_findings(found, "audited, nothing changed" if dry_run else "audited and repaired")
    if not found.is_repaired:
        raise SystemExit(1)


def _show_how_to_continue(found: "Findings", *, whole: bool) -> None:
    again = f"continue with `progress-worker rebuild --after {found.last_course_id}`"
    if not whole or not found.last_course_id:
        again = "start it again"
    click.echo(f"Interrupted. Repairs made so far are kept; {again}.", err=True)
