"""Read whole tables for comparison, without columns that depend on when and in which order events arrived.

| table                    | key                             | value                                            |
|--------------------------|---------------------------------|--------------------------------------------------|
| `user_course`            | id                              | user, course, timezone                           |
| `user_course (position)` | id                              | current topic, lesson, section, time             |
| `user_course_progress`   | enrollment, topic, lesson        | status, last_viewed_at, completed_at             |
| `lesson_event`           | enrollment, event id             | time, type, lesson, section, duration, correction|
| `course_lesson`          | course, ordinal                 | topic, lesson, title                             |
| `moved_lesson`           | course, topic and lesson before | topic and lesson now                             |
| `user_course_summary`    | id                              | the summary's members                            |
| `course_statistics`      | course                          | its statistics                                   |
| `lesson_statistics`      | course, topic, lesson           | the statistics of a lesson                       |
| `…_figures`, three       | course; week; topic, lesson     | the time statistics                              |
| `…_activity`, four       | their keys                      | the activity, except its time of refresh         |
"""

from collections import Counter

from sqlalchemy import Connection, text

from worker.analytics.rules.activity_rows import by_table
from worker.analytics.rules.statistics_rows import by_table as statistics_by_table
from worker.analytics.rules.statistics_rows import statistics_rows
from worker.analytics.stored_activity import read_rows
from worker.analytics.stored_statistics import read_time_statistics

Rows = dict[tuple[object, ...], tuple[object, ...]]

_TABLES = {
    "user_course": (1, text("SELECT id, user_id, course_id, timezone FROM user_course")),
    "user_course (position)": (
        1,
        text("""
            SELECT id, current_topic, current_lesson, current_section, position_at FROM user_course
            WHERE position_at IS NOT NULL
        """),
    ),
    "user_course_progress": (
        3,
        text("""
            SELECT user_course_id, topic_id, lesson_id, status::text, last_viewed_at, completed_at
            FROM user_course_progress
        """),
    ),
    "lesson_event": (
        2,
        text("""
            SELECT user_course_id, event_id::text, occurred_at, type::text, topic_id, lesson_id, section_id,
                   duration_seconds, corrected_status::text, corrected_last_viewed_at, corrected_completed_at
            FROM lesson_event
        """),
    ),
    "course_lesson": (2, text("SELECT course_id, ordinal, topic_id, lesson_id, title FROM course_lesson")),
    "moved_lesson": (
        3,
        text("SELECT course_id, from_topic_id, from_lesson_id, topic_id, lesson_id FROM moved_lesson"),
    ),
    "user_course_summary": (
        1,
        text("""
            SELECT user_course_id, total_lessons, outline_version > 0, completed_lessons, in_progress_lessons,
                   not_started_lessons, completion_percentage, current_topic_id, current_lesson_id, current_section_id,
                   next_topic_id, next_lesson_id, next_reason, last_activity_at
            FROM user_course_summary
        """),
    ),
    "course_statistics": (
        1,
        text("""
            SELECT course_id, enrollments, started, completed, completion_rate, last_activity_at
            FROM course_statistics
        """),
    ),
    "lesson_statistics": (
        3,
        text("""
            SELECT course_id, topic_id, lesson_id, enrollments, started, completed, completion_rate, last_activity_at
            FROM lesson_statistics
        """),
    ),
}

_COURSES = text("SELECT course_id FROM course_figures")

_ENROLLMENTS = text("SELECT id FROM user_course")

_DEAD_LETTERS = text("SELECT reason, body, count(*) FROM dead_letter GROUP BY reason, body")

_HAS_ROWS = text("""
    SELECT EXISTS (SELECT FROM user_course) OR EXISTS (SELECT FROM user_course_progress)
        OR EXISTS (SELECT FROM lesson_event) OR EXISTS (SELECT FROM course) OR EXISTS (SELECT FROM dead_letter)
""")


def read_tables(connection: Connection) -> dict[str, Rows]:
    """Return all rows of all tables."""
    tables: dict[str, Rows] = {}
    for name, (key_columns, statement) in _TABLES.items():
        rows = [tuple(row) for row in connection.execute(statement)]
        tables[name] = {row[:key_columns]: row[key_columns:] for row in rows}
    time_statistics = {
        course_id: read_time_statistics(connection, course_id) for course_id in connection.scalars(_COURSES).all()
    }
    activity = read_rows(connection, list(connection.scalars(_ENROLLMENTS)))
    known = statistics_rows({course_id: its for course_id, its in time_statistics.items() if its})
    return tables | statistics_by_table(known) | by_table(activity.values())


def read_dead_letters(connection: Connection) -> Counter[tuple[str, bytes | None]]:
    """Count the dead letters by reason and body."""
    dead_letters: Counter[tuple[str, bytes | None]] = Counter()
    for reason, body, count in connection.execute(_DEAD_LETTERS):
        dead_letters[reason, body] += count
    return dead_letters


def has_rows(connection: Connection) -> bool:
    """Return whether the database has any data."""
    return bool(connection.scalar(_HAS_ROWS))
