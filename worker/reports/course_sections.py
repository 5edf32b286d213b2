"""What a course's page shows of each table, and says of it."""

from itertools import pairwise
from typing import Any

from worker.formatting import counted
from worker.reports.busiest_hours import busiest
from worker.reports.chart import Bars, Columns, Part, bars, columns
from worker.reports.formatting import lesson_name, shown, spent
from worker.reports.heatmap import drop_off_tiles, hour_grid
from worker.reports.section import Plan, Plans
from worker.reports.table import Kind, Table
from worker.reports.time_spent import TIME, time_by_lesson
from worker.reports.weeks import by_week, pace

MOST_BARS = 8
"""Lessons that a picture names one by one."""


def _nobody_started(table: Table) -> bool:
    return not any(table.column("started"))


def _funnel_gist(table: Table) -> str:
    records = table.records()
    first, last = records[0], records[-1]
    if len(records) == 1:
        return f"The only lesson was started by {_of(first)}."
    said = f"The first of {counted(len(records), 'lesson')} was started by {_of(first)}, the last by {_of(last)}."
    falls = [(before["started"] - after["started"], before, after) for before, after in pairwise(records)]
    fall, before, after = max(falls, key=lambda each: each[0], default=(0, first, last))
    if fall <= 0:
        return said
    return (
        f"{said} The largest fall is from {lesson_name(before)} to {lesson_name(after)}: "
        f"from {before['started']:,} to {after['started']:,}."
    )


def _of(record: dict[str, Any]) -> str:
    return f"{record['started']:,} of {record['enrollments']:,}"


def _funnel(table: Table) -> Columns:
    return columns(
        table,
        "Learners who started and completed each lesson",
        Part("started", "started", is_strong=False),
        Part("completed", "completed"),
        name=lambda record: f"{record['no']}. {lesson_name(record)}",
        labels=lambda record: str(record["topic_id"]),
        axis="Lessons in order; the numbers are topics",
        room=6,
        is_grouped=True,
    )


def _blockers_gist(table: Table) -> str:
    found = _worst(table)
    if not found:
        return "No lesson is a blocker: none stops many of those who start it, or too few have started it to tell."
    worst = found[0]
    said = "1 lesson is a blocker:" if len(found) == 1 else f"{len(found):,} lessons are blockers, most of all"
    return (
        f"{said} {lesson_name(worst)}, which stopped {worst['stopped']:,} of {worst['started']:,} who started it, "
        f"{shown(worst['drop_off_ratio'], Kind.RATIO)}."
    )


def _worst(table: Table) -> list[dict[str, Any]]:
    found = [record for record in table.records() if record["is_blocker"]]
    return sorted(found, key=lambda record: record["drop_off_ratio"], reverse=True)


def _blockers(table: Table) -> Bars | None:
    worst = _worst(table)[:MOST_BARS]
    part = Part("drop-off", "drop_off_ratio")
    return bars(table, "The strongest blockers", worst, part, name=lesson_name) if worst else None


def _weeks_gist(table: Table) -> str:
    return pace(table, by=lambda best: f" by {counted(best['learners'], 'active learner')}")


def _time_gist(table: Table) -> str:
    longest = max(table.records(), key=lambda record: record["spent_seconds"])
    return (
        f"Most time went into {lesson_name(longest)}: {spent(longest['spent_seconds'])} together, "
        f"{shown(longest['measured_ratio'], Kind.RATIO)} of it measured."
    )


def _longest(table: Table) -> Bars:
    found = sorted(table.records(), key=lambda record: record["spent_seconds"], reverse=True)[:MOST_BARS]
    return bars(table, "Where most time goes", found, *TIME, name=lesson_name)


def _dormant_gist(table: Table) -> str:
    latest = table.records()[0]
    return (
        f"Enrollment {latest['user_course_id']} was seen last, on {shown(latest['last_seen_on'], Kind.DATE)}; "
        f"{counted(len(table.rows), 'enrollment')} in the table."
    )


COURSE_PLANS: Plans = {
    "lessons": Plan(_funnel_gist, (_funnel,), "Nobody has started yet.", is_empty=_nobody_started),
    "blockers": Plan(_blockers_gist, (_blockers, drop_off_tiles), "Nobody has started yet.", is_empty=_nobody_started),
    "weeks": Plan(
        _weeks_gist,
        (
            lambda table: by_week(table, "Lessons completed", Part("completed", "completed")),
            lambda table: by_week(table, "Learners active", Part("active", "learners")),
            lambda table: by_week(table, "Time spent", *TIME),
        ),
        "No week has any activity yet.",
    ),
    "hours": Plan(busiest, (hour_grid,), "No lesson was viewed or completed yet."),
    "time-spent": Plan(
        _time_gist,
        (_longest, time_by_lesson),
        "No time spent is known yet.",
        is_empty=lambda table: not any(table.column("spent_seconds")),
    ),
    "dormant": Plan(_dormant_gist, empty="Nobody is dormant."),
}
