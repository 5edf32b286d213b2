"""The visits of one enrollment to one lesson, one by one, and the lesson's corrections.

Production computes the same in SQL (`stored_visits.py`). Visits, intervals and time spent are defined in
`worker.analytics.rules.activity`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.analytics.rules.activity import Interval, TimeSpent, in_order, intervals, time_spent, visits
from worker.contract.event import LedgerEvent, LessonCompleted, LessonEvent, ProgressCorrected
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import lesson_of, order

MAX_LISTED = 1_000
"""Visits, and corrections, listed one by one: the last of them."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A maximal run of the lesson's events with gaps below the idle cut-off."""

    number: int
    """From 1, in order of time."""
    began_at: datetime
    last_at: datetime
    """Time of its last event, whose interval may end later."""
    events: int
    completions: int
    """Its `completed` events."""
    completed_at: datetime | None
    """The row's `completed_at` if one of these completions set it: this visit completed the lesson."""
    spent: TimeSpent
    """Time covered by its events; part of it may belong to other visits too."""


@dataclass(frozen=True, slots=True)
class LessonCorrection:
    """A correction of the lesson's row; events at or before `corrected_at` are ignored."""

    corrected_at: datetime
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class VisitHistory:
    """The counts of visits (`rules.activity.Visits`) and corrections, and the last ones in order of time.

    `visits_to_complete` is the number of the visit that completed the lesson, if a visit did. Of a place's corrections,
    the last one applies.
    """

    visits: int
    first_visit_at: datetime | None
    last_visit_at: datetime | None
    visits_to_complete: int | None
    spent: TimeSpent
    last_visits: list[Visit]
    corrections: int
    last_corrections: list[LessonCorrection]


@dataclass(frozen=True, slots=True)
class LessonVisits:
    """The history of one lesson for one learner; the title is the outline's, None if it has none.

    If `history_from` is set, the ledger holds only events recorded since then, except of a lesson that was corrected.
    """

    user_course_id: int
    topic_id: int
    lesson_id: int
    title: str | None
    status: ProgressStatus
    completed_at: datetime | None
    history: VisitHistory
    history_from: datetime | None


def visit_history(
    events: Iterable[LedgerEvent],
    lesson: Lesson,
    completed_at: datetime | None,
    idle_cutoff: timedelta,
    max_listed: int = MAX_LISTED,
    former: Collection[Lesson] = (),
) -> VisitHistory:
    """Return the history of a lesson from the enrollment's distinct events and the `completed_at` of its row.

    Events at its `former` places count too. Events of other lessons end the interval of an event without a duration.
    """
    places = {lesson, *former}
    activity: list[LessonEvent] = []
    corrections: list[ProgressCorrected] = []
    for event in events:
        if not isinstance(event, ProgressCorrected):
            activity.append(event)
        elif lesson_of(event) in places:
            corrections.append(event)
    ordered = in_order(activity)
    its = [
        (event, interval)
        for event, interval in zip(ordered, intervals(ordered, idle_cutoff), strict=True)
        if lesson_of(event) in places
    ]
    runs: list[list[tuple[LessonEvent, Interval]]] = []
    for event, interval in its:
        if not runs or event.time - runs[-1][-1][0].time >= idle_cutoff:
            runs.append([])
        runs[-1].append((event, interval))
    counted = visits([event.time for event, _ in its], completed_at, idle_cutoff) if its else None
    corrections.sort(key=order)
    return VisitHistory(
        visits=counted.visits if counted else 0,
        first_visit_at=counted.first_visit_at if counted else None,
        last_visit_at=counted.last_visit_at if counted else None,
        visits_to_complete=counted.visits_to_complete if counted else None,
        spent=time_spent(interval for _, interval in its),
        last_visits=[_visit(number, run, completed_at) for number, run in enumerate(runs, 1)][-max_listed:],
        corrections=len(corrections),
        last_corrections=[_correction(event) for event in corrections][-max_listed:],
    )


def _visit(number: int, run: list[tuple[LessonEvent, Interval]], completed_at: datetime | None) -> Visit:
    completions = [event.time for event, _ in run if isinstance(event, LessonCompleted)]
    return Visit(
        number=number,
        began_at=run[0][0].time,
        last_at=run[-1][0].time,
        events=len(run),
        completions=len(completions),
        completed_at=completed_at if completed_at in completions else None,
        spent=time_spent(interval for _, interval in run),
    )


def _correction(event: ProgressCorrected) -> LessonCorrection:
    return LessonCorrection(event.time, event.data.status, event.data.last_viewed_at, event.data.completed_at)
