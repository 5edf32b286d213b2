"""Activity as rows of its four tables, to compare with the stored ones."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from worker.analytics.rules.activity import Activity, TimeSpent, activity
from worker.analytics.rules.local_day import enrollment_zones
from worker.contract.event import LessonEvent, ProgressCorrected
from worker.contract.lesson import Lesson
from worker.progress.reference import State

Key = tuple[int | date, ...]
TABLES = ("enrollment_activity", "topic_activity", "lesson_activity", "daily_activity")

ActivityRows = dict[tuple[str, Key], dict[str, object]]
"""Table and key → the columns derived from events."""


def activity_rows(user_course_id: int, its: Activity) -> ActivityRows:
    """Return the rows of an enrollment with this activity."""
    rows: ActivityRows = {
        ("enrollment_activity", (user_course_id,)): {
            **spent_columns(its.spent),
            "sessions": its.sessions,
            "session_seconds": its.session_seconds,
            "first_at": its.first_at,
            "last_at": its.last_at,
            "events_by_hour": its.events_by_hour,
            "doubtful_events": its.doubtful_events,
        }
    }
    for topic_id, spent in its.topics.items():
        rows["topic_activity", (user_course_id, topic_id)] = spent_columns(spent)
    for lesson, (spent, visits) in its.lessons.items():
        rows["lesson_activity", (user_course_id, *lesson)] = {
            **spent_columns(spent),
            "visits": visits.visits,
            "first_visit_at": visits.first_visit_at,
            "last_visit_at": visits.last_visit_at,
            "visits_to_complete": visits.visits_to_complete,
        }
    for day, each in its.days.items():
        rows["daily_activity", (user_course_id, day)] = {**spent_columns(each.spent), "events": each.events}
    return rows


def activities(state: State, idle_cutoff: timedelta) -> dict[int, Activity]:
    """Return the activity of every enrollment."""
    events: dict[int, list[LessonEvent]] = {key: [] for key in state.enrollments}
    for (key, _), event in state.ledger.items():
        if not isinstance(event, ProgressCorrected):
            events[key].append(event)
    completed_at: dict[int, dict[Lesson, datetime | None]] = defaultdict(dict)
    for (key, topic_id, lesson_id), row in state.progress.items():
        completed_at[key][topic_id, lesson_id] = row.completed_at
    return {
        key: activity(its, completed_at[key], enrollment_zones(told), idle_cutoff, told[0].time if told else None)
        for (key, its), told in ((each, state.snapshots[each[0]]) for each in events.items())
    }


def by_table(enrollments: Iterable[ActivityRows]) -> dict[str, dict[tuple[object, ...], tuple[object, ...]]]:
    """Return the rows of many enrollments by table, as key → columns."""
    tables: dict[str, dict[tuple[object, ...], tuple[object, ...]]] = {table: {} for table in TABLES}
    for rows in enrollments:
        for (table, key), columns in rows.items():
            tables[table][key] = tuple(columns.values())
    return tables


def spent_columns(its: TimeSpent) -> dict[str, object]:
    """Return the columns of a time spent."""
    return {"seconds": its.seconds, "measured_seconds": its.measured_seconds}
