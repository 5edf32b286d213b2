"""Read one lesson of one enrollment: its row, and its visits and corrections from the ledger.

Reference model in plain Python: `rules.visit_history`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.activity_fragments import COVERED, IDLE, ORDER, SPENT, STRETCHES, begins_after
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.visit_history import MAX_LISTED, LessonCorrection, Visit, VisitHistory
from worker.contract.lesson import LessonKey, lesson_parameters
from worker.contract.progress_status import ProgressStatus

# The present and former places of the lesson.
_PLACES = """
    SELECT CAST(:topic_id AS int), CAST(:lesson_id AS int)
    UNION ALL
    SELECT from_topic_id, from_lesson_id
    FROM moved_lesson JOIN user_course ON user_course.course_id = moved_lesson.course_id
    WHERE user_course.id = :user_course_id AND (topic_id, lesson_id) = (:topic_id, :lesson_id)
"""

_LESSON = text(f"""
    SELECT title, max(status)::text AS status, min(completed_at) AS completed_at, history_from
    FROM user_course AS enrollment
    LEFT JOIN user_course_progress AS progress
        ON user_course_id = enrollment.id AND (progress.topic_id, progress.lesson_id) IN ({_PLACES})
    LEFT JOIN course_lesson AS live
        ON (live.course_id, live.topic_id, live.lesson_id) = (enrollment.course_id, :topic_id, :lesson_id)
    WHERE enrollment.id = :user_course_id
    GROUP BY title, history_from
""")  # noqa: S608 - a constant

_BEGINS = begins_after("lag(occurred_at) OVER (ORDER BY nth)")

# The first row is the total of all visits.
_VISITS = text(f"""
    WITH given AS (
        SELECT {IDLE}, CAST(:completed_at AS timestamptz) AS lesson_completed_at
    ),
    ordered AS ( -- with the time of the enrollment's next event, of any lesson
        SELECT topic_id, lesson_id, type, occurred_at, duration_seconds, lead(occurred_at) OVER latest_last AS next_at,
               row_number() OVER latest_last AS nth
        FROM lesson_event WHERE user_course_id = :user_course_id AND type <> 'corrected'
        WINDOW latest_last AS (ORDER BY {ORDER})
    ),
    event AS (
        SELECT nth, occurred_at, type = 'completed' AS completes, {COVERED}, {_BEGINS} AS begins
        FROM ordered CROSS JOIN given WHERE (topic_id, lesson_id) IN ({_PLACES})
    ),
    numbered AS (
        SELECT *, count(*) FILTER (WHERE begins) OVER (
            ORDER BY nth ROWS UNBOUNDED PRECEDING
        ) AS number
        FROM event
    ),
    visit AS (
        SELECT number, count(*) AS events, min(occurred_at) AS began_at, max(occurred_at) AS last_at,
               count(*) FILTER (WHERE completes) AS completions,
               max(occurred_at) FILTER (WHERE completes AND occurred_at = lesson_completed_at) AS completed_at,
               {STRETCHES},
               count(*) FILTER (WHERE begins) AS visits,
               max(occurred_at) FILTER (WHERE begins) AS last_visit_at,
               count(*) FILTER (WHERE begins AND occurred_at <= lesson_completed_at) AS visits_to_complete
        FROM numbered CROSS JOIN given
        GROUP BY GROUPING SETS ((), (number))
        ORDER BY number DESC NULLS FIRST LIMIT 1 + :max_listed
    )
    SELECT number, began_at, last_at, events, completions, completed_at, visits, last_visit_at, visits_to_complete,
           {SPENT}
    FROM visit ORDER BY number NULLS FIRST
""")  # noqa: S608 - a constant

_CORRECTIONS = text(f"""
    SELECT occurred_at, corrected_status::text, corrected_last_viewed_at, corrected_completed_at,
           count(*) OVER () AS corrections
    FROM lesson_event
    WHERE user_course_id = :user_course_id AND (topic_id, lesson_id) IN ({_PLACES}) AND type = 'corrected'
    ORDER BY occurred_at DESC, sequence DESC, event_id DESC LIMIT :max_listed
""")  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class StoredLesson:
    """A lesson of an enrollment, merged over its places; not started if it has no row."""

    title: str | None
    status: ProgressStatus
    completed_at: datetime | None
    history_from: datetime | None


def read_lesson(connection: Connection, key: LessonKey) -> StoredLesson | None:
    """Return the lesson, None if the enrollment does not exist."""
    row = connection.execute(_LESSON, lesson_parameters(key)).one_or_none()
    if row is None:
        return None
    status = ProgressStatus(row.status) if row.status else ProgressStatus.NOT_STARTED
    return StoredLesson(row.title, status, row.completed_at, row.history_from)


def read_visit_history(
    connection: Connection,
    key: LessonKey,
    completed_at: datetime | None,
    idle_cutoff_seconds: float,
    max_listed: int = MAX_LISTED,
) -> VisitHistory:
    """Return the history of a lesson completed at `completed_at`, listing up to `max_listed` visits and corrections.

    Two queries in the caller's transaction, which must be REPEATABLE READ. Reads the enrollment's ledger.
    """
    given = lesson_parameters(key) | {"max_listed": max_listed}
    rule = {"completed_at": completed_at, "idle_cutoff_seconds": idle_cutoff_seconds}
    total, *visits = connection.execute(_VISITS, given | rule)
    corrections = connection.execute(_CORRECTIONS, given).all()
    return VisitHistory(
        visits=total.visits,
        first_visit_at=total.began_at,
        last_visit_at=total.last_visit_at,
        visits_to_complete=total.visits_to_complete if completed_at and total.visits else None,
        spent=TimeSpent(total.seconds, total.measured_seconds),
        last_visits=[
            Visit(
                number=row.number,
                began_at=row.began_at,
                last_at=row.last_at,
                events=row.events,
                completions=row.completions,
                completed_at=row.completed_at,
                spent=TimeSpent(row.seconds, row.measured_seconds),
            )
            for row in visits
        ],
        corrections=corrections[0].corrections if corrections else 0,
        last_corrections=[
            LessonCorrection(at, ProgressStatus(status), last_viewed_at, completed)
            for at, status, last_viewed_at, completed, _ in reversed(corrections)
        ],
    )
