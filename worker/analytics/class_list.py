"""The class list of a course: each enrollment's progress, those who need attention first.

Progress is current; whether a learner was seen lately or is stuck follows from the stored activity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Connection, Row, text

from worker.analytics.freshness import Freshness
from worker.analytics.rules.activity import HOURS_OF_A_WEEK, Activity, TimeSpent
from worker.analytics.rules.completion import completion
from worker.analytics.rules.learner_history import counted_history
from worker.analytics.rules.local_day import Zones, local_day
from worker.analytics.rules.streaks import is_dormant
from worker.analytics.rules.stuck import Stuck, stuck
from worker.analytics.seen_enrollments import SEEN
from worker.analytics.stored_learner import StoredLessons, read_lessons
from worker.analytics.stored_statistics import read_medians
from worker.analytics.thresholds import AnalysisThresholds
from worker.analytics.zone_history import read_zones
from worker.analytics.zone_offsets import clocks_of_course
from worker.contract.lesson import Lesson
from worker.progress.stored_outline import StoredOutline
from worker.summary.read import read_summaries
from worker.summary.rules import Summary

LIMIT = 100
"""Default number of enrollments."""

_FIRST = text(f"""
    WITH {SEEN}
    SELECT *, (SELECT count(*) FROM seen) AS total FROM (
        SELECT id, user_id, today, last_seen_on, is_included, rank,
               CASE rank WHEN 0 THEN date '2000-01-01' - last_seen_on
                         WHEN 2 THEN coalesce(last_seen_on - date '2000-01-01', -1000000) ELSE 0 END AS place
        FROM (
            SELECT seen.*,
                   CASE WHEN is_finished THEN 3 WHEN today - last_seen_on >= :dormant_days THEN 0
                        WHEN NOT is_started THEN 1 ELSE 2 END AS rank
            FROM seen
        ) AS ranked
    ) AS placed
    ORDER BY rank, place, id LIMIT :limit
""")  # noqa: S608 - constants


class LearnerState(StrEnum):
    """The state of an enrollment, in the order of a class list. Finished learners are never dormant."""

    DORMANT = "dormant"
    NOT_STARTED = "not_started"
    ACTIVE = "active"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class ClassMember:
    """An enrollment of the class; dates are the learner's local ones."""

    user_course_id: int
    user_id: int
    state: LearnerState
    completed_lessons: int
    total_lessons: int
    total_is_known: bool
    completion_percentage: Decimal
    last_seen_on: date | None
    completed_at: datetime | None
    """Once finished, the time at which the last lesson was completed; None if the time of any is unknown."""
    completed_on: date | None
    stuck: list[Stuck]
    is_pending: bool
    """It has changes that the statistics of the course do not include yet."""


@dataclass(frozen=True, slots=True)
class ClassList:
    """The first of the class in the order of `LearnerState`, by the stored summaries and activity.

    Of dormant learners the most recently seen come first, of active ones the least recently seen.
    """

    enrollments: list[ClassMember]
    total: int
    """Enrollments of the whole class."""


def read_class_list(
    connection: Connection,
    course_id: int,
    now: datetime,
    outline: StoredOutline | None,
    freshness: Freshness,
    thresholds: AnalysisThresholds,
    *,
    limit: int = LIMIT,
) -> ClassList:
    """Return up to `limit` enrollments of the course, those who may need help first; empty for an unknown course.

    `outline` and `freshness` are those of the course in the caller's transaction, which must be REPEATABLE READ. Seven
    queries, or up to ten while anything is stale. Reads one row of each enrollment, and all rows of those returned.
    """
    given = {
        "course_id": course_id,
        "now": now,
        "as_of": freshness.as_of,
        "dormant_days": thresholds.dormant_days,
        "clocks": clocks_of_course(connection, course_id),
        "limit": limit,
    }
    found = connection.execute(_FIRST, given).all()
    ids = [row.id for row in found]
    summaries = {each.summary.user_course_id: each.summary for each in read_summaries(connection, ids)}
    lessons, zones = read_lessons(connection, ids), read_zones(connection, ids)
    medians = read_medians(connection, course_id).seconds
    return ClassList(
        [
            _member(row, summaries[row.id], lessons[row.id], zones[row.id].zones, outline, medians, thresholds)
            for row in found
        ],
        found[0].total if found else 0,
    )


def _member(
    row: Row[tuple[object, ...]],
    summary: Summary,
    stored: StoredLessons,
    zones: Zones,
    outline: StoredOutline | None,
    medians: Mapping[Lesson, float],
    thresholds: AnalysisThresholds,
) -> ClassMember:
    live, moved = (outline.lessons, outline.moved) if outline else (None, {})
    rows, lessons = stored
    activity = Activity(lessons, {}, {}, TimeSpent(0, 0), 0, 0, None, None, [0] * HOURS_OF_A_WEEK)
    history, _ = counted_history(rows, activity, moved)
    finished = completion(history, live)
    completed_at = finished.completed_at if finished else None
    titles = outline.titles if outline else {}
    if finished:
        state = LearnerState.FINISHED
    elif is_dormant(row.last_seen_on, row.today, thresholds.dormant_days):
        state = LearnerState.DORMANT
    elif summary.completed_lessons + summary.in_progress_lessons:
        state = LearnerState.ACTIVE
    else:
        state = LearnerState.NOT_STARTED
    return ClassMember(
        user_course_id=row.id,
        user_id=row.user_id,
        state=state,
        completed_lessons=summary.completed_lessons,
        total_lessons=summary.total_lessons,
        total_is_known=summary.total_is_known,
        completion_percentage=summary.completion_percentage,
        last_seen_on=row.last_seen_on,
        completed_at=completed_at,
        completed_on=local_day(completed_at, zones) if completed_at else None,
        stuck=[
            replace(each, title=titles.get((each.topic_id, each.lesson_id)))
            for each in stuck(history, sorted(history) if live is None else live, medians, thresholds.stuck)
        ],
        is_pending=not row.is_included,
    )
