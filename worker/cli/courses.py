"""`progress-worker courses`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from worker.contract.id_ranges import MAX_ID

if TYPE_CHECKING:
    from rich.table import Table

    from worker.analytics.course_list import CoursePage


@click.command("courses")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Maximum number of courses to show."
)
@click.option("--after", type=click.IntRange(0, MAX_ID), default=0, help="Show only courses with a higher id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(limit: int, after: int, as_json: bool) -> None:
    """List the courses with their statistics.

    All that have an enrollment or an outline. Those with pending statistics have changes that are not included yet.
    """
    from worker.analytics.course_list import list_courses
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings

    with open_database(server_settings("DATABASE_URL")) as engine:
        found = list_courses(engine, after=after, limit=limit)
    if as_json:
        show_json(asdict(found))
        return
    show(_table(found) if found.courses else "No courses." if not after else "No more courses.")
    if found.next_after is not None:
        show(f"There are more: --after {found.next_after}")


def _table(found: "CoursePage") -> "Table":
    from worker.cli.output import moment, new_table

    figures = ("course", "lessons", "enrollments", "started", "completed", "rate")
    columns, spare = (*figures, "statistics", "last activity"), ("last activity", "lessons", "started", "completed")
    table = new_table(None, *columns, numbers=figures, spare=(*spare, "enrollments"))
    for course in found.courses:
        of = course.statistics
        table.add_row(
            str(course.course_id),
            "-" if course.total_lessons is None else f"{course.total_lessons:,}",
            *(
                ("-", "-", "-", "-", "not computed", "-")
                if of is None
                else ("-", "-", "-", "-", "pending", "-")
                if course.has_pending and not of.enrollments
                else (
                    f"{of.enrollments:,}",
                    f"{of.started:,}",
                    f"{of.completed:,}",
                    f"{of.completion_rate} %",
                    "pending" if course.has_pending else "current",
                    moment(of.last_activity_at),
                )
            ),
        )
    return table
