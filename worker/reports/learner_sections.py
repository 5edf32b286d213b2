"""What a learner's page shows of each table, and says of it."""

from typing import Any

from worker.formatting import counted
from worker.reports.busiest_hours import busiest
from worker.reports.chart import Bars, Columns, Part, bars, columns
from worker.reports.formatting import lesson_name, shown, spent
from worker.reports.heatmap import hour_grid
from worker.reports.section import Plan, Plans
from worker.reports.table import Kind, Table
from worker.reports.time_spent import TIME, time_by_lesson
from worker.reports.weeks import by_week, pace


def _recommendations_gist(table: Table) -> str:
    first = table.records()[0]
    what = "Next is" if first["kind"] == "next" else "Look again at"
    return f"{what} {lesson_name(first)}: {first['reason']}."


def _stuck_gist(table: Table) -> str:
    first, more = table.records()[0], len(table.rows) - 1
    others = f", and on {counted(more, 'other')}" if more else ""
    return f"Stuck on {lesson_name(first)}{others}: {first['reason']}."


def _lessons_gist(table: Table) -> str:
    records = table.records()
    completed = sum(record["status"] == "completed" for record in records)
    most = max(records, key=lambda record: record["visits"])
    return (
        f"{completed:,} of {counted(len(records), 'visited lesson')} completed. Visited most: {lesson_name(most)}, "
        f"{counted(most['visits'], 'time')}."
    )


def _days_gist(table: Table) -> str:
    active = sum(1 for events in table.column("events") if events)
    seconds = sum(table.column("spent_seconds"))
    return f"Active on {active} of the last {counted(len(table.rows), 'day')}; time spent: {spent(seconds)}."


def _by_day(table: Table, title: str, *parts: Part) -> Columns:
    return columns(
        table,
        title,
        *parts,
        name=lambda record: f"{record['day']:%A}, {shown(record['day'], Kind.DATE)}",
        labels=lambda record: f"{record['day'].day} {record['day']:%b}" if record["day"].weekday() == 0 else "",
        axis="Days; Mondays have their date",
        room=12,
    )


def _topics_gist(table: Table) -> str:
    longest = max(table.records(), key=lambda record: record["spent_seconds"])
    return f"Most time went into topic {longest['topic_id']}: {spent(longest['spent_seconds'])}."


def _topics(table: Table) -> Bars:
    return bars(table, "Time spent by topic", table.records(), *TIME, name=_topic)


def _topic(record: dict[str, Any]) -> str:
    return f"Topic {record['topic_id']}"


def _achievements_gist(table: Table) -> str:
    return f"{counted(len(table.rows), 'achievement')} so far."


LEARNER_PLANS: Plans = {
    "recommendations": Plan(_recommendations_gist, empty="Nothing to recommend.", is_folded=False),
    "stuck": Plan(_stuck_gist, empty="Stuck on nothing.", is_folded=False),
    "weeks": Plan(
        pace,
        (
            lambda table: by_week(table, "Lessons completed", Part("completed", "completed")),
            lambda table: by_week(table, "Time spent", *TIME),
        ),
        "No week has any activity yet.",
    ),
    "days": Plan(
        _days_gist,
        (
            lambda table: _by_day(table, "Time spent", *TIME),
            lambda table: _by_day(table, "Events", Part("events", "events")),
        ),
        "Nothing happened in the last 28 days.",
        is_empty=lambda table: not any(table.column("events")) and not any(table.column("spent_seconds")),
    ),
    "hours": Plan(busiest, (hour_grid,), "No lesson was viewed or completed yet."),
    "lessons": Plan(_lessons_gist, (time_by_lesson,), "No lesson was visited yet."),
    "topics": Plan(
        _topics_gist,
        (_topics,),
        "No time spent is known yet.",
        is_empty=lambda table: not any(table.column("spent_seconds")),
    ),
    "achievements": Plan(_achievements_gist, empty="Nothing achieved yet.", is_folded=False),
}
