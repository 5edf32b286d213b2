"""Activity as it is stored, and as plain Python computes it from the events."""

from collections import defaultdict
from datetime import date, timedelta

from sqlalchemy import Engine

from tests.support.model import EVERY_ID
from tests.support.tables import rows
from worker.analytics.rules.activity import Activity, Day, TimeSpent, Visits
from worker.analytics.rules.activity_rows import activities
from worker.contract.lesson import Lesson
from worker.progress.reference import State

IDLE_CUTOFF = timedelta(minutes=30)

_ENROLLMENTS = """
    SELECT user_course_id, seconds, measured_seconds, sessions, session_seconds, first_at, last_at, events_by_hour,
           doubtful_events
    FROM enrollment_activity WHERE user_course_id BETWEEN :first AND :last
"""
_LESSONS = """
    SELECT user_course_id, topic_id, lesson_id, seconds, measured_seconds,
           visits, first_visit_at, last_visit_at, visits_to_complete
    FROM lesson_activity WHERE user_course_id BETWEEN :first AND :last
"""
_TOPICS = """
    SELECT user_course_id, topic_id, seconds, measured_seconds
    FROM topic_activity WHERE user_course_id BETWEEN :first AND :last
"""
_DAYS = """
    SELECT user_course_id, day, seconds, measured_seconds, events
    FROM daily_activity WHERE user_course_id BETWEEN :first AND :last
"""


def expected_activity(state: State, idle_cutoff: timedelta = IDLE_CUTOFF) -> dict[int, Activity]:
    """The activity of every enrollment."""
    return activities(state, idle_cutoff)


def stored_activity(engine: Engine, enrollments: tuple[int, int] = EVERY_ID) -> dict[int, Activity]:
    """The stored activity of every enrollment from the first id to the last."""
    first, last = enrollments
    lessons: dict[int, dict[Lesson, tuple[TimeSpent, Visits]]] = defaultdict(dict)
    topics: dict[int, dict[int, TimeSpent]] = defaultdict(dict)
    days: dict[int, dict[date, Day]] = defaultdict(dict)
    for key, topic_id, lesson_id, seconds, measured, *its in rows(engine, _LESSONS, first=first, last=last):
        lessons[key][topic_id, lesson_id] = TimeSpent(seconds, measured), Visits(*its)
    for key, topic_id, seconds, measured in rows(engine, _TOPICS, first=first, last=last):
        topics[key][topic_id] = TimeSpent(seconds, measured)
    for key, day, seconds, measured, events in rows(engine, _DAYS, first=first, last=last):
        days[key][day] = Day(TimeSpent(seconds, measured), events)
    return {
        key: Activity(lessons[key], topics[key], days[key], TimeSpent(seconds, measured), *its)
        for key, seconds, measured, *its in rows(engine, _ENROLLMENTS, first=first, last=last)
    }
