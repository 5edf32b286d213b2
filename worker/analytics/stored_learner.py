"""Read everything that the analysis of one enrollment needs, except the outline."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.rules.activity import HOURS_OF_A_WEEK, Activity, Day, TimeSpent, Visits
from worker.analytics.rules.local_day import Zones
from worker.analytics.zone_history import read_zones
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.reference import Progress
from worker.progress.ties import tied_positions

_ENROLLMENT = text("""
    SELECT course_id, current_topic, current_lesson, position_tied, refreshed_at, seconds, measured_seconds,
           sessions, session_seconds, first_at, last_at, events_by_hour, doubtful_events
    FROM user_course LEFT JOIN enrollment_activity ON user_course_id = id
    WHERE id = :id
""")

_LESSONS = text("""
    SELECT topic_id, lesson_id, status, last_viewed_at, completed_at, seconds, measured_seconds, visits,
           first_visit_at, last_visit_at, visits_to_complete
    FROM user_course_progress LEFT JOIN lesson_activity USING (user_course_id, topic_id, lesson_id)
    WHERE user_course_id = :id
    ORDER BY topic_id, lesson_id
""")

_TOPICS = text("""
    SELECT topic_id, seconds, measured_seconds FROM topic_activity WHERE user_course_id = :id ORDER BY topic_id
""")

_DAYS = text("""
    SELECT day, seconds, measured_seconds, events FROM daily_activity WHERE user_course_id = :id ORDER BY day
""")


@dataclass(frozen=True, slots=True)
class StoredLearner:
    """An enrollment's course, time zones, current lesson, rows and activity; moved lessons at their former places.

    The activity is from `refreshed_at`, or empty if that is None; the rest is current.
    """

    course_id: int | None
    zones: Zones
    current_lesson: CurrentLesson
    rows: dict[Lesson, Progress]
    activity: Activity
    refreshed_at: datetime | None


def read_learner(connection: Connection, user_course_id: int) -> StoredLearner | None:
    """Return what is stored for one enrollment, None if it does not exist.

    Five queries in the caller's transaction, which must be REPEATABLE READ. Reads one row of each lesson and day.
    """
    key = {"id": user_course_id}
    enrollment = connection.execute(_ENROLLMENT, key).one_or_none()
    if enrollment is None:
        return None
    tied = tied_positions(connection, [user_course_id]) if enrollment.position_tied else {}
    rows: dict[Lesson, Progress] = {}
    lessons: dict[Lesson, tuple[TimeSpent, Visits]] = {}
    for row in connection.execute(_LESSONS, key):
        lesson = (row.topic_id, row.lesson_id)
        rows[lesson] = Progress(ProgressStatus(row.status), row.last_viewed_at, row.completed_at)
        if row.visits:
            visits = Visits(row.visits, row.first_visit_at, row.last_visit_at, row.visits_to_complete)
            lessons[lesson] = TimeSpent(row.seconds, row.measured_seconds), visits
    return StoredLearner(
        course_id=enrollment.course_id,
        zones=read_zones(connection, [user_course_id])[user_course_id].zones,
        current_lesson=tied.get(user_course_id) or CurrentLesson(enrollment.current_topic, enrollment.current_lesson),
        rows=rows,
        activity=Activity(
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
        ),
        refreshed_at=enrollment.refreshed_at,
    )
