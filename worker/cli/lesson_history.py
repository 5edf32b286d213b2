"""Output of `progress-worker learner ID --lesson TOPIC LESSON`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized

    from rich.table import Table
    from sqlalchemy import Engine

    from worker.analytics.rules.visit_history import LessonVisits


def show_lesson(
    engine: "Engine", user_course_id: int, topic_id: int, lesson_id: int, idle_cutoff_seconds: float, *, as_json: bool
) -> None:
    """Print the history of the lesson."""
    from dataclasses import asdict

    from worker.analytics.lesson_history import lesson_history
    from worker.cli.output import show, show_json

    found = lesson_history(engine, user_course_id, topic_id, lesson_id, idle_cutoff_seconds)
    if as_json:
        show_json(asdict(found))
        return
    show(lesson_table(found))
    show(visits_table(found) if found.history.visits else "No visits.", "")
    show(corrections_table(found) if found.history.corrections else "No corrections.")


def lesson_table(found: "LessonVisits") -> "Table":
    """Return the figures of the whole lesson."""
    from worker.cli.output import moment, new_facts, time_spent, title

    history = found.history
    table = new_facts(f"Enrollment {found.user_course_id}, topic {found.topic_id}, lesson {found.lesson_id}")
    to_complete = history.visits_to_complete
    for name, value in (
        ("title", title(found.title)),
        ("status", found.status),
        ("completed", moment(found.completed_at)),
        ("visits", f"{history.visits:,}"),
        ("to complete", "-" if to_complete is None else f"{to_complete:,}"),
        ("first began", moment(history.first_visit_at)),
        ("last began", moment(history.last_visit_at)),
        ("time spent", time_spent(history.spent)),
    ):
        table.add_row(name, value)
    if found.history_from:
        table.add_row("known since", f"{moment(found.history_from)}; older events were deleted")
    return table


def visits_table(found: "LessonVisits") -> "Table":
    """Return the last visits."""
    from worker.cli.output import moment, new_table, time_spent

    numbers, history = ("visit", "events", "completions"), found.history
    table = new_table(
        _title("visits", history.last_visits, history.visits),
        *("visit", "began", "last event", "events", "completions", "completed it", "time spent"),
        numbers=numbers,
        prose=("time spent",),
        spare=("completions", "events", "last event", "completed it"),
    )
    for each in history.last_visits:
        table.add_row(
            f"{each.number:,}",
            moment(each.began_at),
            moment(each.last_at),
            f"{each.events:,}",
            f"{each.completions:,}",
            moment(each.completed_at),
            time_spent(each.spent),
        )
    return table


def corrections_table(found: "LessonVisits") -> "Table":
    """Return the last corrections."""
    from worker.cli.output import moment, new_table

    history = found.history
    table = new_table(
        _title("corrections", history.last_corrections, history.corrections),
        *("corrected", "status", "last viewed", "completed"),
        spare=("last viewed", "completed"),
    )
    for each in history.last_corrections:
        table.add_row(moment(each.corrected_at), each.status, moment(each.last_viewed_at), moment(each.completed_at))
    return table


def _title(what: str, shown: "Sized", number: int) -> str:
    return what.capitalize() if len(shown) == number else f"Last {len(shown):,} of {number:,} {what}"
