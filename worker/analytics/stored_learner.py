"""Read everything that the analysis of one enrollment needs, except the outline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.analytics.freshness import Freshness, enrollment_freshness
from worker.analytics.rules.activity import HOURS_OF_A_WEEK, Activity, Day, TimeSpent, Visits, activity
from worker.analytics.rules.local_day import Zones
from worker.analytics.zone_history import EnrollmentZones, read_zones
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.ledger_events import read_activity
from worker.progress.reference import Progress
from worker.progress.ties import tied_positions

MAX_EVENTS = 10_000
"""Stale activity is computed on the spot for enrollments with up to this many events, in about half a second."""

_ENROLLMENT = text("""
    SELECT course_id, current_topic, current_lesson, position_tied, refreshed_at, seconds, measured_seconds,
           sessions, session_seconds, first_at, last_at, events_by_hour, doubtful_events
    FROM user_course LEFT JOIN enrollment_activity ON user_course_id = id
    WHERE id = :id
""")

_LESSONS = text("""
    SELECT user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, seconds, measured_seconds, visits,
           first_visit_at, last_visit_at, visits_to_complete
    FROM user_course_progress LEFT JOIN lesson_activity USING (user_course_id, topic_id, lesson_id)
    WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
    ORDER BY user_course_id, topic_id, lesson_id
""")

_TOPICS = text("""
    SELECT topic_id, seconds, measured_seconds FROM topic_activity WHERE user_course_id = :id ORDER BY topic_id
""")

_DAYS = text("""
    SELECT day, seconds, measured_seconds, events FROM daily_activity WHERE user_course_id = :id ORDER BY day
""")


StoredLessons = tuple[dict[Lesson, Progress], dict[Lesson, tuple[TimeSpent, Visits]]]
"""An enrollment's rows, and the time spent on and visits to its lessons."""


@dataclass(frozen=True, slots=True)
class StoredLearner:
    """An enrollment's course, time zones, current lesson, rows and activity; moved lessons at their former places.

    Everything but the activity is current. The activity is as fresh as `freshness` says; empty if never computed.
    """

    course_id: int | None
    zones: Zones
    current_lesson: CurrentLesson
    rows: dict[Lesson, Progress]
    activity: Activity
    freshness: Freshness


def read_learner(connection: Connection, user_course_id: int, idle_cutoff_seconds: float) -> StoredLearner | None:
    """Return what is stored for one enrollment, None if it does not exist.

    Stale activity is computed on the spot, unless there are more than `MAX_EVENTS`. Six queries, or seven, in the
    caller's transaction, which must be REPEATABLE READ. Reads one row of each lesson and day.
    """
    key = {"id": user_course_id}
    enrollment = connection.execute(_ENROLLMENT, key).one_or_none()
    if enrollment is None:
        return None
    tied = tied_positions(connection, [user_course_id]) if enrollment.position_tied else {}
    rows, lessons = read_lessons(connection, [user_course_id])[user_course_id]
    zones = read_zones(connection, [user_course_id])[user_course_id]
    freshness = enrollment_freshness(connection, user_course_id)
    found = None
    if freshness.pending:
        found = _activity_now(connection, user_course_id, rows, zones, idle_cutoff_seconds)
        if found:
            freshness = Freshness(freshness.read_at, freshness.read_at, 0)
        elif enrollment.refreshed_at is None:
            freshness = Freshness(freshness.read_at, None, 1)
    return StoredLearner(
        course_id=enrollment.course_id,
        zones=zones.zones,
        current_lesson=tied.get(user_course_id) or CurrentLesson(enrollment.current_topic, enrollment.current_lesson),
        rows=rows,
        activity=found or _stored_activity(connection, key, enrollment, lessons),
        freshness=freshness,
    )


def read_lessons(connection: Connection, ids: Sequence[int]) -> dict[int, StoredLessons]:
    """Return the rows of each of these enrollments, and the stored activity in its lessons. One query."""
    found: dict[int, StoredLessons] = {each: ({}, {}) for each in ids}
    for row in connection.execute(_LESSONS, {"ids": list(ids)}):
        rows, lessons = found[row.user_course_id]
        lesson = (row.topic_id, row.lesson_id)
        rows[lesson] = Progress(ProgressStatus(row.status), row.last_viewed_at, row.completed_at)
        if row.visits:
            visits = Visits(row.visits, row.first_visit_at, row.last_visit_at, row.visits_to_complete)
            lessons[lesson] = TimeSpent(row.seconds, row.measured_seconds), visits
    return found


def _activity_now(
    connection: Connection,
    user_course_id: int,
    rows: Mapping[Lesson, Progress],
    zones: EnrollmentZones,
    idle_cutoff_seconds: float,
) -> Activity | None:
    events = read_activity(connection, user_course_id, MAX_EVENTS)
    if events is None:
        return None
    completed_at = {lesson: row.completed_at for lesson, row in rows.items()}
    return activity(events, completed_at, zones.zones, timedelta(seconds=idle_cutoff_seconds), zones.made_at)


def _stored_activity(
    connection: Connection,
    key: dict[str, int],
    enrollment: Row[Any],
    lessons: dict[Lesson, tuple[TimeSpent, Visits]],
) -> Activity:
    return Activity(
        lessons=lessons,
        topics={topic_id: TimeSpent(*spent) for topic_id, *spent in connection.execute(_TOPICS, key)},
        days={
            day: Day(TimeSpent(seconds, measured_seconds), events)
            for day, seconds, measured_seconds, events in connection.execute(_DAYS, key)
        },
        spent=TimeSpent(enrollment.seconds or 0.0, enrollment.measured_seconds or 0.0),
        sessions=enrollment.sessions or 0,
        session_seconds=enrollment.session_seconds or 0.0,
        first_at=enrollment.first_at,
        last_at=enrollment.last_at,
        events_by_hour=enrollment.events_by_hour or [0] * HOURS_OF_A_WEEK,
        doubtful_events=enrollment.doubtful_events or 0,
    )
