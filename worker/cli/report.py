"""`progress-worker report course` and `report learner`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from worker.cli.group import Group
from worker.cli.id_type import NUMBER

if TYPE_CHECKING:
    from worker.reports.table import Report

STDOUT = "-"

_OPTIONS = (
    click.option(
        "--format",
        "form",
        type=click.Choice(["html", "csv", "json"]),
        default="html",
        show_default=True,
        help="A page, one table as CSV, or one or all tables as JSON.",
    ),
    click.option("--table", help="Table to export; required for CSV."),
    click.option("--excel", is_flag=True, help="Begin CSV with a byte order mark, so that Excel reads it as UTF-8."),
    click.option(
        "--decimal-comma",
        is_flag=True,
        help="For --excel where 1.5 is written 1,5: with semicolons between the cells of CSV.",
    ),
    click.option(
        "--output",
        metavar="FILE",
        help="File to write; - is standard output. Default: SUBJECT-ID.html for a page, - otherwise.",
    ),
)


def _export(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both commands share."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("report", cls=Group)
def command() -> None:
    """Write a course's or learner's report.

    As a page, CSV or JSON.
    """


@command.command("course")
@click.argument("course_id", metavar="ID", type=NUMBER)
@_export
def course(course_id: int, **options: Any) -> None:
    """Report on the course ID.

    Tables: headline, learners, lessons, blockers, weeks, hours, time-spent, dormant.
    """
    from worker.analytics.course_analysis import analyze_course_and_class
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.cli.servers import open_database, server_settings
    from worker.reports.class_list import MAX_MEMBERS
    from worker.reports.course_report import course_report

    settings = server_settings("DATABASE_URL")
    with open_database(settings) as engine:
        thresholds = AnalysisThresholds.of(settings)
        found, members = analyze_course_and_class(engine, course_id, None, thresholds, MAX_MEMBERS)
    write(course_report(found, members.enrollments, members.total), **options)


@command.command("learner")
@click.argument("user_course_id", metavar="ID", type=NUMBER)
@_export
def learner(user_course_id: int, **options: Any) -> None:
    """Report on the enrollment ID.

    Tables: headline, recommendations, stuck, lessons, weeks, days, hours, topics, achievements.
    """
    from worker.analytics.learner_analysis import analyze_learner
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.cli.servers import open_database, server_settings
    from worker.reports.learner_report import learner_report

    settings = server_settings("DATABASE_URL")
    with open_database(settings) as engine:
        found = analyze_learner(engine, user_course_id, None, AnalysisThresholds.of(settings))
    write(learner_report(found), **options)


def write(report: "Report", form: str, table: str | None, output: str | None, excel: bool, decimal_comma: bool) -> None:
    """Write the report to standard output or to a file, and print its name. Raises InputError, ConfigurationError."""
    from worker.cli.output_file import write_file

    content = exported(report, form, table, excel=excel, decimal_comma=decimal_comma).encode()
    default = f"{report.subject}-{report.id}.html" if form == "html" else STDOUT
    target = default if output is None else output
    if target == STDOUT:
        click.echo(content, nl=False)
    else:
        write_file(target, content)
        click.echo(target)


def exported(
    report: "Report", form: str, table: str | None, *, excel: bool = False, decimal_comma: bool = False
) -> str:
    """Return the report in this format."""
    from worker.errors import InputError
    from worker.reports.export import as_csv, as_json
    from worker.reports.page import as_page

    if excel and form != "csv":
        raise InputError("--excel needs --format csv.")
    if decimal_comma and not excel:
        raise InputError("--decimal-comma needs --excel.")
    if form == "html":
        if table:
            raise InputError("A page has every table: omit --table, or use --format csv or json.")
        return as_page(report)
    chosen = report.table(table) if table else None
    if form == "json":
        return as_json(report, chosen)
    if chosen is None:
        names = ", ".join(each.name for each in report.tables)
        raise InputError(f"CSV is one table: choose it with --table, one of {names}.")
    return as_csv(chosen, for_spreadsheet=excel, decimal_comma=decimal_comma)
