"""`progress-worker summary`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from worker.cli.id_type import NUMBER
from worker.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from worker.analytics.analysis import LearnerAnalysis
    from worker.summary.read import TitledSummary
    from worker.summary.rules import Summary


@click.command("summary")
@click.argument("user_course_ids", metavar="ID...", type=NUMBER, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or of several enrollments a list.")
def command(user_course_ids: tuple[int, ...], as_json: bool) -> None:
    """Show the progress of one or more enrollments.

    Completion, current lesson and next lesson. An unknown ID does not stop the others.
    """
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.summary.read import get_summary, refreshed

    found: list[TitledSummary] = []
    errors: list[InputError] = []
    with open_database(server_settings("DATABASE_URL")) as engine:
        for each in dict.fromkeys(user_course_ids):
            try:
                found.append(get_summary(engine, each))
            except InputError as error:
                errors.append(error)
    if as_json:
        mappings = [asdict(refreshed(each)) for each in found]
        if len(user_course_ids) > 1:
            show_json(mappings)
        elif mappings:
            show_json(mappings[0])
    elif found:
        show(*map(summary_table, found))
    if errors:
        raise InputError("\n".join(map(str, errors)))


def completed(summary: "Summary | LearnerAnalysis") -> str:
    """Return the completed lessons, the total and the percentage."""
    found = f"{summary.completed_lessons} of {summary.total_lessons} ({summary.completion_percentage} %)"
    return found if summary.total_is_known else f"{found} known so far: the course has no outline"


def summary_table(found: "TitledSummary") -> "Table":
    """Return the summary as a table, lessons with their titles."""
    from worker.analytics.phrases import NEXT_PHRASES
    from worker.cli.output import new_facts, title

    summary = found.summary

    def lesson(topic_id: int | None, lesson_id: int | None, section_id: int | None = None) -> str:
        if topic_id is None or lesson_id is None:
            return "none"
        place = f"topic {topic_id}, lesson {lesson_id}" + (f", section {section_id}" if section_id else "")
        its = found.titles.get((topic_id, lesson_id))
        return f"{place}: {title(its)}" if its else place

    table = new_facts(f"Enrollment {summary.user_course_id}")
    reason = f" ({NEXT_PHRASES[summary.next_reason]})" if summary.next_reason else ""
    at = summary.last_activity_at
    for name, value in (
        ("completed", completed(summary)),
        ("in progress", str(summary.in_progress_lessons)),
        ("not started", str(summary.not_started_lessons)),
        ("current", lesson(summary.current_topic_id, summary.current_lesson_id, summary.current_section_id)),
        ("next", lesson(summary.next_topic_id, summary.next_lesson_id) + reason),
        ("last activity", f"{at:%Y-%m-%d %H:%M:%S %Z}" if at else "none"),
    ):
        table.add_row(name, value)
    return table
