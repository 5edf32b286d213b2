"""`progress-worker enrollments`."""

from typing import TYPE_CHECKING

import click

from worker.cli.id_type import ID
from worker.contract.id_ranges import MAX_ID

if TYPE_CHECKING:
    from rich.table import Table

    from worker.summary.enrollment_list import EnrollmentPage


@click.command("enrollments")
@click.option("--course", "course_id", type=ID, help="Only those of this course.")
@click.option("--user", "user_id", type=ID, help="Only those of this user.")
@click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Maximum number of enrollments to show."
)
@click.option("--after", type=click.IntRange(0, MAX_ID), default=0, help="Show only enrollments with a higher id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(course_id: int | None, user_id: int | None, limit: int, after: int, as_json: bool) -> None:
    """List enrollments with their progress.

    Those of a course, of a user, of both, or all.
    """
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.summary.enrollment_list import as_mapping, list_enrollments

    with open_database(server_settings("DATABASE_URL")) as engine:
        found = list_enrollments(engine, course_id=course_id, user_id=user_id, after=after, limit=limit)
    if as_json:
        show_json({"enrollments": [as_mapping(each) for each in found.enrollments], "next_after": found.next_after})
        return
    show(_table(found) if found.enrollments else "No enrollments." if not after else "No more enrollments.")
    if found.next_after is not None:
        show(f"There are more: --after {found.next_after}")


def _table(found: "EnrollmentPage") -> "Table":
    from worker.cli.output import moment, new_table

    figures = ("enrollment", "user", "course", "completed", "rate")
    columns, spare = (*figures, "current topic, lesson", "last activity"), ("rate", "current topic, lesson")
    table = new_table(None, *columns, numbers=figures, spare=(*spare, "last activity", "completed"))
    for each in found.enrollments:
        summary = each.progress.summary
        place = (summary.current_topic_id, summary.current_lesson_id)
        table.add_row(
            str(summary.user_course_id),
            "-" if each.user_id is None else str(each.user_id),
            "-" if each.course_id is None else str(each.course_id),
            f"{summary.completed_lessons} of {summary.total_lessons if summary.total_is_known else '?'}",
            f"{summary.completion_percentage} %",
            "-" if None in place else "{}, {}".format(*place),
            moment(summary.last_activity_at),
        )
    return table
