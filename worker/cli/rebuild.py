"""`progress-worker rebuild`."""

import click

from worker.cli.differences import Report, chosen_scope, follow, scope_options
from worker.errors import InputError


@click.command("rebuild")
@scope_options
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@click.option("--after", metavar="COURSE:ID", help="Go on where an interrupted run ended.")
def command(user_course: int | None, course: int | None, dry_run: bool, after: str | None, as_json: bool) -> None:
    """Repair everything stored that differs from the ledger.

    Safe while workers run, and at any time again: only what differs is written, each enrolment in a transaction of its
    page. A row that no event made is set back to not_started, never deleted; --dry-run shows all of it before.
    """
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings
    from worker.services.audit import count_scope, examine_scope
    from worker.services.rebuild import rebuild_scope

    scope = chosen_scope(user_course, course)
    reached = _position(after)
    settings = server_settings("DATABASE_URL")
    report = Report(reached=reached)
    with open_database(settings) as engine:
        total = count_scope(engine, scope)
        if dry_run:
            steps = examine_scope(engine, scope, reached)
        else:
            steps = rebuild_scope(engine, scope, settings.statistics_timeout_seconds, reached)
        try:
            follow(steps, report, "examined" if dry_run else "rebuilt", total)
        except KeyboardInterrupt:
            click.echo(
                "Interrupted; what is repaired stays so. "
                f"Go on with: progress-worker rebuild --after {report.reached[0]}:{report.reached[1]}",
                err=True,
            )
            raise
    if as_json:
        show_json(report.as_mapping())
    else:
        report.show("examined" if dry_run else "rebuilt")


def _position(after: str | None) -> tuple[int, int]:
    if after is None:
        return (0, 0)
    course, colon, enrollment = after.partition(":")
    if not (colon and course.isdecimal() and enrollment.isdecimal()):
        raise InputError(
            f"--after {after}: give the course and the enrolment that the interrupted run named, as 3:812."
        )
    return int(course), int(enrollment)
