"""`progress-worker overview`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from worker.cli.id_type import NUMBER
from worker.contract.id_ranges import MAX_ID

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from rich.bar import Bar
    from rich.table import Table

    from worker.analytics.course_overview import Overview
    from worker.summary.read import TitledSummary

BAR_WIDTH = 10
"""Characters of a full bar, with eight steps each."""


@click.command("overview")
@click.argument("course_id", metavar="COURSE", type=NUMBER)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of learners to show."
)
@click.option("--after", type=click.IntRange(0, MAX_ID), default=0, help="Show only enrollments with a higher id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(course_id: int, limit: int, after: int, as_json: bool) -> None:
    """Show the statistics of COURSE and its lessons, and its learners page by page.

    Learners are current; the statistics include all changes up to their "as of".
    """
    from worker.analytics.course_overview import get_overview
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.database.server import read_clock

    with open_database(server_settings("DATABASE_URL")) as engine:
        found = get_overview(engine, course_id, after=after, limit=limit)
        now = read_clock(engine)
    if as_json:
        show_json(as_mapping(found))
        return
    show(course_table(found, now))
    show(lessons_table(found) if found.lessons else "No lessons.", "")
    show(learners_table(found, now) if found.learners else "No learners.")
    if found.next_after is not None:
        show(f"There are more: --after {found.next_after}")


def as_mapping(found: "Overview") -> dict[str, Any]:
    """Return the overview as plain members; learners as in `summary`."""
    from worker.summary.read import refreshed

    return {
        "course_id": found.course_id,
        "as_of": found.as_of,
        "pending": found.pending,
        "statistics": asdict(found.statistics) if found.statistics else None,
        "lessons": [asdict(lesson) for lesson in found.lessons],
        "learners": [asdict(refreshed(each)) for each in found.learners],
        "next_after": found.next_after,
    }


def course_table(found: "Overview", now: "datetime") -> "Table":
    """Return the statistics of the course."""
    from worker.cli.output import new_facts
    from worker.formatting import counted

    table = new_facts(f"Course {found.course_id}")
    of, pending = found.statistics, f"{counted(found.pending, 'enrollment')} changed since; not included yet"
    if of is None or found.as_of is None or not _are_known(found):
        table.add_row("statistics", "not computed yet")
        if of is not None:
            table.add_row("pending", pending)
        return table
    table.add_row("enrollments", f"{of.enrollments:,}")
    table.add_row("started", f"{of.started:,}")
    table.add_row("completed", f"{of.completed:,} ({of.completion_rate} %)")
    if of.completed:
        table.add_row("", _bar(of.completion_rate))
    table.add_row("last activity", f"{of.last_activity_at:%Y-%m-%d %H:%M:%S %Z}" if of.last_activity_at else "none")
    table.add_row("as of", f"{found.as_of:%Y-%m-%d %H:%M:%S %Z}, {_ago(found.as_of, now)}")
    if found.pending:
        table.add_row("pending", pending)
    return table


def _are_known(found: "Overview") -> bool:
    """Return whether the statistics say anything: those of no enrollment, while some are pending, are only stale."""
    return found.statistics is not None and bool(found.statistics.enrollments or not found.pending)


def lessons_table(found: "Overview") -> "Table":
    """Return the lessons in order with the enrollments that started and completed each."""
    from worker.cli.output import new_table, title

    figures = ("no.", "topic", "lesson", "started", "completed", "rate")
    columns, spare = (*figures[:3], "title", *figures[3:], ""), ("", "no.", "started", "completed")
    table = new_table("Lessons", *columns, numbers=figures, prose=["title"], spare=spare)
    for number, lesson in enumerate(found.lessons, 1):
        place = (str(number), str(lesson.topic_id), str(lesson.lesson_id), title(lesson.title))
        of = lesson.statistics
        if of is None or not _are_known(found):
            table.add_row(*place, "-", "-", "-")
        else:
            rate = of.completion_rate
            table.add_row(*place, f"{of.started:,}", f"{of.completed:,}", f"{rate} %", _bar(rate))
    table.columns[-1].width = BAR_WIDTH
    return table


def learners_table(found: "Overview", now: "datetime") -> "Table":
    """Return the learners of this page by enrollment."""
    from worker.cli.output import new_table

    figures = ("enrollment", "completed", "rate")
    columns, spare = (*figures, "", "next topic, lesson", "last activity"), ("", "last activity", "completed")
    table = new_table("Learners", *columns, numbers=figures, prose=["next topic, lesson"], spare=spare)
    for learner in found.learners:
        summary = learner.summary
        table.add_row(
            str(summary.user_course_id),
            f"{summary.completed_lessons} of {summary.total_lessons if summary.total_is_known else '?'}",
            f"{summary.completion_percentage} %",
            _bar(summary.completion_percentage),
            _next_lesson(learner),
            _ago(summary.last_activity_at, now) if summary.last_activity_at else "-",
        )
    table.columns[3].width = BAR_WIDTH
    return table


def _next_lesson(learner: "TitledSummary") -> str:
    from worker.cli.output import title

    topic_id, lesson_id = learner.summary.next_topic_id, learner.summary.next_lesson_id
    if topic_id is None or lesson_id is None:
        return "-"
    its = learner.titles.get((topic_id, lesson_id))
    return f"{topic_id}, {lesson_id}" + (f": {title(its)}" if its else "")


def _bar(rate: "Decimal") -> "Bar":
    """Return a bar of 0...100 %; only 100 fills it."""
    from rich.bar import Bar

    return Bar(size=100, begin=0, end=float(rate), width=BAR_WIDTH)


def _ago(at: "datetime", now: "datetime") -> str:
    from worker.cli.output import duration

    return f"{duration(max(0.0, (now - at).total_seconds()))} ago"
