"""The rules of progress, folded in plain Python over any collection of events.

PostgreSQL applies the same rules batch by batch (`worker/storage/ledger.py`); the tests, `demo` and every comparison
hold the two against each other. Here each rule stands once, in the simplest form that can be right.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from worker.domain.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LedgerEvent,
    LessonCompleted,
    LessonEvent,
    OutlineLesson,
    ProgressCorrected,
)
from worker.domain.status import ProgressStatus

Kind = TypeVar("Kind", EnrollmentCreated, CourseOutlined, LessonEvent)
LessonKey = tuple[int, int, int]
"""(user_course_id, topic_id, lesson_id)"""


@dataclass(frozen=True, slots=True)
class Progress:
    """One row of `user_course_progress`, without its key."""

    status: ProgressStatus = ProgressStatus.NOT_STARTED
    last_viewed_at: datetime | None = None
    completed_at: datetime | None = None
    corrected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where an enrolment is: the members of its latest lesson event, taken together."""

    topic_id: int
    lesson_id: int
    section_id: int | None
    occurred_at: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class State:
    """What the tables hold after a set of events."""

    enrollments: dict[int, EnrollmentCreated] = field(default_factory=dict)
    snapshots: dict[int, list[EnrollmentCreated]] = field(default_factory=dict)
    """All that was told of each enrollment, once per identity, in order."""
    outlines: dict[int, tuple[OutlineLesson, ...]] = field(default_factory=dict)
    progress: dict[LessonKey, Progress] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    ledger: dict[tuple[int, str], LedgerEvent] = field(default_factory=dict)


def fold(events: Iterable[Event]) -> State:
    """The state after the events, in whatever order and however often they come.

    Of events with one identity the first speaks. Events of an enrolment that no event created are left out: they are
    parked, not applied.
    """
    state = State()
    outlined: dict[int, CourseOutlined] = {}
    told: dict[int, dict[str, EnrollmentCreated]] = defaultdict(dict)
    for event in events:
        if isinstance(event, EnrollmentCreated):
            keep_latest(state.enrollments, event.data.user_course_id, event)
            told[event.data.user_course_id].setdefault(event.event_id, event)
        elif isinstance(event, CourseOutlined):
            keep_latest(outlined, event.data.course_id, event)
        else:
            state.ledger.setdefault((event.data.user_course_id, event.event_id), event)
    state.outlines.update((course_id, event.data.lessons) for course_id, event in outlined.items())

    state.snapshots.update((key, sorted(its.values(), key=_order)) for key, its in told.items())
    by_lesson: dict[LessonKey, list[LedgerEvent]] = defaultdict(list)
    for key in [key for key in state.ledger if key[0] not in state.enrollments]:
        del state.ledger[key]
    for event in state.ledger.values():
        by_lesson[event.data.user_course_id, event.data.topic_id, event.data.lesson_id].append(event)
    state.progress.update((key, lesson_progress(its)) for key, its in by_lesson.items())

    latest: dict[int, LessonEvent] = {}
    for event in state.ledger.values():
        if not isinstance(event, ProgressCorrected):
            keep_latest(latest, event.data.user_course_id, event)
    state.positions.update((user_course_id, position(event)) for user_course_id, event in latest.items())
    return state


def lesson_progress(events: Iterable[LedgerEvent]) -> Progress:
    """The row of one lesson, from its distinct events.

    The latest correction by (time, event id) is where it starts; events at or before that time are silent. From there
    the status is the highest seen, `last_viewed_at` the latest time, `completed_at` the earliest completion.
    """
    events = list(events)
    corrections = [event for event in events if isinstance(event, ProgressCorrected)]
    activity = [event for event in events if not isinstance(event, ProgressCorrected)]
    status, viewed, completed, corrected_at = ProgressStatus.NOT_STARTED, [], [], None
    if corrections:
        ruling = max(corrections, key=_order)
        corrected_at = ruling.time
        activity = [event for event in activity if event.time > ruling.time]
        status = ruling.data.status
        viewed = [time for time in [ruling.data.last_viewed_at] if time]
        completed = [time for time in [ruling.data.completed_at] if time]
    for event in activity:
        done = isinstance(event, LessonCompleted)
        reached = ProgressStatus.COMPLETED if done else ProgressStatus.IN_PROGRESS
        status = max(status, reached, key=lambda each: each.rank)
        viewed.append(event.time)
        if done:
            completed.append(event.time)
    return Progress(status, max(viewed, default=None), min(completed, default=None), corrected_at)


def _order(event: Event) -> tuple[datetime, str]:
    return event.time, event.event_id


def keep_latest(kept: dict[int, Kind], key: int, event: Kind) -> None:
    """Keep under `key` the later event by (time, event id); of equals the first."""
    if key not in kept or _order(event) > _order(kept[key]):
        kept[key] = event


def position(event: LessonEvent) -> Position:
    """Where an enrolment is when this is its latest lesson event."""
    data = event.data
    return Position(data.topic_id, data.lesson_id, data.section_id, event.time, event.event_id)
