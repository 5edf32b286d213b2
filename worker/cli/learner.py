"""`progress-worker learner`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.id_type import NUMBER

if TYPE_CHECKING:
    from rich.table import Table

    from worker.analytics.analysis import LearnerAnalysis
    from worker.analytics.rules.recommendations import Recommendation
    from worker.analytics.rules.streaks import Streaks
    from worker.analytics.rules.stuck import Stuck

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKS = 12
"""Weeks shown."""
_BLOCKS = 24
_SHADES = "·░▒▓█"
"""From no event to as many as in the busiest hour."""


@click.command("learner")
@click.argument("user_course_id", metavar="ID", type=NUMBER)
@click.option("--lesson", nargs=2, type=NUMBER, metavar="TOPIC LESSON", help="Show the history of this lesson instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(user_course_id: int, lesson: tuple[int, int] | None, as_json: bool) -> None:
    """Show an enrollment's analysis.

    With --lesson, show the last 1,000 visits to one
    lesson and corrections of it.
    """
    from worker.analytics.learner_analysis import analyze_learner
    from worker.analytics.phrases import as_mapping
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.cli.lesson_history import show_lesson
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings

    settings = server_settings("DATABASE_URL")
    with open_database(settings) as engine:
        if lesson:
            show_lesson(engine, user_course_id, *lesson, settings.idle_cutoff_seconds, as_json=as_json)
            return
        found = analyze_learner(engine, user_course_id, None, AnalysisThresholds.of(settings))
    if as_json:
        show_json(as_mapping(found))
        return
    show(learner_table(found))
    show(reasons_table("Recommended", found.recommendations) if found.recommendations else "Nothing to recommend.", "")
    if found.as_of is None:
        show("Time spent, visits and days are not computed yet.", "")
        return
    show(reasons_table("Stuck", found.stuck) if found.stuck else "Not stuck on any lesson.", "")
    show(lessons_table(found) if found.lessons else "No visits.", "")
    show(weeks_table(found) if found.weeks else "No weeks.", "")
    show(days_table(found), hours_table(found))


def learner_table(found: "LearnerAnalysis") -> "Table":
    """Return the figures of the whole enrollment."""
    from worker.cli.output import duration, moment, new_facts, time_spent
    from worker.cli.summary import completed
    from worker.formatting import counted, two_digits

    table = new_facts(f"Enrollment {found.user_course_id}")
    each = f", {duration(found.session_seconds / found.sessions)} on average" if found.session_seconds else ""
    pace = found.velocity
    activity = [
        ("time spent", time_spent(found.spent)),
        ("sessions", f"{found.sessions:,}{each}"),
        ("streak", _streak(found.streaks)),
        ("last seen", f"{found.last_seen_on or 'never'}{', dormant' if found.is_dormant else ''}"),
    ]
    if found.doubtful_events:
        activity.append(("doubtful", f"{counted(found.doubtful_events, 'event')} dated before the enrollment was made"))
    for name, value in (
        ("completed", completed(found)),
        *(activity if found.as_of else []),
        ("lessons a week", f"{two_digits(pace.recent)} in the last 28 days, {two_digits(pace.overall)} overall"),
        _finish(found),
    ):
        table.add_row(name, value)
    for achievement in found.achievements:
        topic = f" {achievement.topic_id}" if achievement.topic_id is not None else ""
        table.add_row(
            "achieved", f"{achievement.kind.replace('_', ' ')}{topic}, {achievement.earned_on or 'day unknown'}"
        )
    as_of = moment(found.as_of) if found.as_of else "not computed yet"
    table.add_row("as of", f"{as_of}; later events are not included yet" if found.pending and found.as_of else as_of)
    return table


def _finish(found: "LearnerAnalysis") -> tuple[str, str]:
    """Return when the course was, or will be, completed."""
    from worker.analytics.phrases import projection_phrase

    if found.is_finished:
        return "finished", str(found.completed_on or "day unknown")
    projection = found.projection
    if projection.completed_on is None:
        return "projected", projection_phrase(projection)
    return "projected", f"{projection.completed_on} ({projection_phrase(projection)})"


def reasons_table(title: str, lessons: "Sequence[Recommendation | Stuck]") -> "Table":
    """Return lessons and the reasons for naming them."""
    from worker.analytics.phrases import lesson_phrase
    from worker.cli.output import new_table
    from worker.cli.output import title as clipped

    table = new_table(title, "topic", "lesson", "title", "why", numbers=("topic", "lesson"), prose=("title", "why"))
    for each in lessons:
        table.add_row(str(each.topic_id), str(each.lesson_id), clipped(each.title), lesson_phrase(each))
    return table


def lessons_table(found: "LearnerAnalysis") -> "Table":
    """Return the visited lessons."""
    from worker.cli.output import new_table, time_spent, title

    figures = ("topic", "lesson", "visits", "to complete")
    columns = (*figures[:2], "title", "status", *figures[2:], "time spent")
    spare = ("to complete", "visits", "time spent")
    table = new_table("Visited", *columns, numbers=figures, prose=("title", "time spent"), spare=spare)
    for each in found.lessons:
        table.add_row(
            str(each.topic_id),
            str(each.lesson_id),
            title(each.title),
            each.status,
            str(each.visits),
            "-" if each.visits_to_complete is None else str(each.visits_to_complete),
            time_spent(each.spent),
        )
    return table


def days_table(found: "LearnerAnalysis") -> "Table":
    """Return the active ones of the last days."""
    from worker.cli.output import new_table, time_spent

    title, columns = f"Last {len(found.days)} days", ("day", "events", "time spent")
    table = new_table(title, *columns, numbers=("events",), prose=("time spent",))
    for each in found.days:
        if each.events or each.spent.seconds:
            table.add_row(str(each.day), str(each.events), time_spent(each.spent))
    return table


def weeks_table(found: "LearnerAnalysis") -> "Table":
    """Return the last weeks with a block for each lesson completed."""
    from worker.cli.output import new_table, time_spent

    shown, figures = found.weeks[-_WEEKS:], ("completed", "events")
    table = new_table("Weeks", "week from", *figures, "time spent", "", numbers=figures, spare=("", "events"))
    for each in shown:
        blocks = "█" * min(each.completed, _BLOCKS)
        table.add_row(str(each.monday), str(each.completed), str(each.events), time_spent(each.spent), blocks)
    return table


def hours_table(found: "LearnerAnalysis") -> "Table":
    """Return a heat map of the week, one character an hour."""
    from worker.cli.output import new_table

    table = new_table("Hours", "", "0     6     12    18", "events", numbers=("events",))
    busiest = max(max(hours) for hours in found.events_by_weekday)
    for weekday, hours in zip(_WEEKDAYS, found.events_by_weekday, strict=True):
        picture = "".join(_SHADES[-(-events * (len(_SHADES) - 1) // busiest) if events else 0] for events in hours)
        table.add_row(weekday, picture, f"{sum(hours):,}")
    return table


def _streak(streaks: "Streaks") -> str:
    from worker.formatting import counted

    if not streaks.longest:
        return "none"
    longest = f"{streaks.longest}, {streaks.longest_began_on}"
    longest += f" to {streaks.longest_ended_on}" if streaks.longest > 1 else ""
    return f"{counted(streaks.current, 'day')} now; the longest {longest}"
