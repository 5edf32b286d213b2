"""The rules of progress, folded in plain Python over any collection of events.

PostgreSQL applies the same rules batch by batch (`worker/progress/record.py`); the tests, `demo` and every comparison
hold the two against each other. Here each rule stands once, in the simplest form that can be right.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LedgerEvent,
    LessonCompleted,
    LessonEvent,
    OutlineLesson,
    ProgressCorrected,
)
from worker.contract.identity import sequence_key
from worker.contract.lesson import Lesson, LessonKey
from worker.contract.progress_status import ProgressStatus
from worker.progress.moved_lessons import moved_lessons

Snapshot = TypeVar("Snapshot", EnrollmentCreated, CourseOutlined)
Order = tuple[datetime, str, bool, str]
"""(time, sequence, whether it is a view, event id): of an enrollment's events the greatest is the latest."""


class Recorded(StrEnum):
    """What recording an event came to."""

    APPLIED = "applied"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    IDENTITY_CONFLICT = "identity_conflict"
    ENROLLMENT_CONFLICT = "enrollment_conflict"


@dataclass(frozen=True, slots=True)
class Section:
    """The section of a lesson that was told last, and the order of the event that told it."""

    section_id: int
    order: Order


@dataclass(frozen=True, slots=True)
class Progress:
    """One row of `user_course_progress`, without its key."""

    status: ProgressStatus = ProgressStatus.NOT_STARTED
    last_viewed_at: datetime | None = None
    completed_at: datetime | None = None
    corrected_at: datetime | None = None
    section: Section | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where an enrollment is: the lesson of its latest lesson event, and the section told last for that lesson."""

    topic_id: int
    lesson_id: int
    section_id: int | None
    order: Order
    is_tied: bool = False
    """Another lesson's event is as late, but for its identity: the outline decides."""

    @property
    def occurred_at(self) -> datetime:
        """The time of the latest lesson event."""
        return self.order[0]

    @property
    def event_id(self) -> str:
        """Its identity."""
        return self.order[3]


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
    conflicts: list[tuple[Event, Recorded]] = field(default_factory=list)
    """What is set aside: another event under a known identity, or another user's enrollment under a known id."""


def fold(events: Iterable[Event]) -> State:
    """The state after the events, in whatever order and however often they come.

    Of events with one identity the first speaks, and of an enrollment's users the first. Snapshots of one time and
    sequence alone go by the order in which they come. Events of an enrollment that no event created are left out: they
    are parked, not applied.
    """
    events = list(events)
    state = State()
    enrollments: dict[int, dict[str, EnrollmentCreated]] = defaultdict(dict)
    outlined: dict[int, dict[str, CourseOutlined]] = defaultdict(dict)
    enrolled = {event.data.user_course_id for event in events if isinstance(event, EnrollmentCreated)}
    for event in events:
        first: Event
        if isinstance(event, EnrollmentCreated):
            its = enrollments[event.data.user_course_id]
            if event.event_id not in its and its and next(iter(its.values())).data.user_id != event.data.user_id:
                state.conflicts.append((event, Recorded.ENROLLMENT_CONFLICT))
                continue
            first = its.setdefault(event.event_id, event)
        elif isinstance(event, CourseOutlined):
            first = outlined[event.data.course_id].setdefault(event.event_id, event)
        elif event.data.user_course_id in enrolled:
            first = state.ledger.setdefault((event.data.user_course_id, event.event_id), event)
        else:
            continue
        if not is_same(event, first):
            state.conflicts.append((event, Recorded.IDENTITY_CONFLICT))
    state.outlines.update((course_id, in_order(its.values())[-1].data.lessons) for course_id, its in outlined.items())
    state.snapshots.update((key, in_order(its.values())) for key, its in enrollments.items())
    state.enrollments.update((key, its[-1]) for key, its in state.snapshots.items())

    by_lesson: dict[LessonKey, list[LedgerEvent]] = defaultdict(list)
    by_enrollment: dict[int, list[LessonEvent]] = defaultdict(list)
    for event in state.ledger.values():
        by_lesson[event.data.user_course_id, event.data.topic_id, event.data.lesson_id].append(event)
        if not isinstance(event, ProgressCorrected):
            by_enrollment[event.data.user_course_id].append(event)
    state.progress.update((key, lesson_progress(its)) for key, its in by_lesson.items())
    for user_course_id, activity in by_enrollment.items():
        ordinals = lesson_ordinals(state.outlines.get(state.enrollments[user_course_id].data.course_id, ()))
        latest, is_tied = latest_event(activity, ordinals)
        row = state.progress[user_course_id, latest.data.topic_id, latest.data.lesson_id]
        state.positions[user_course_id] = position(latest, row, is_tied=is_tied)
    return state


def is_same(event: Event, other: Event) -> bool:
    """Whether two events of one identity are one event: of the same kind and moment, and with the same to tell.

    An untimed one that comes again has another moment.
    """
    is_untimed = isinstance(event, LessonEvent) and event.untimed
    return (
        type(event) is type(other)
        and (event.time == other.time or is_untimed is True)
        and (sequence_key(event.sequence), event.data) == (sequence_key(other.sequence), other.data)
    )


def in_order(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The latest last: by time and sequence, else as they came."""
    return sorted(snapshots, key=lambda event: (event.time, sequence_key(event.sequence)))


def order(event: LedgerEvent) -> Order:
    """What decides which of an enrollment's events is later; at one moment a completion comes before a view."""
    return event.time, sequence_key(event.sequence), event.type == "lesson.viewed", event.event_id


def lesson_ordinals(outline: Iterable[OutlineLesson]) -> dict[Lesson, int]:
    """The place of each lesson in the outline, from 1, and of each earlier place of one."""
    lessons = list(outline)
    ordinals = {(lesson.topic_id, lesson.lesson_id): number for number, lesson in enumerate(lessons, 1)}
    return ordinals | {old: ordinals[new] for old, new in moved_lessons(lessons).items()}


def latest_event(events: Iterable[LessonEvent], ordinals: Mapping[Lesson, int]) -> tuple[LessonEvent, bool]:
    """The latest event, and whether it is so only by the outline or its identity beside another lesson's."""
    events = list(events)
    last = max(order(event)[:3] for event in events)
    tied = [event for event in events if order(event)[:3] == last]
    latest = max(tied, key=lambda event: (ordinals.get(lesson_of(event), 0), event.event_id))
    return latest, len({lesson_of(event) for event in tied}) > 1


def lesson_of(event: LedgerEvent) -> Lesson:
    """The place that the event names."""
    return event.data.topic_id, event.data.lesson_id


def position(latest: LessonEvent, row: Progress, *, is_tied: bool) -> Position:
    """Where an enrollment is when this is its latest lesson event, and this the row of its lesson."""
    section_id = row.section.section_id if row.section else None
    return Position(*lesson_of(latest), section_id, order(latest), is_tied)


def lesson_progress(events: Iterable[LedgerEvent]) -> Progress:
    """The row of one lesson, from its distinct events.

    The latest correction by its order is where it starts; events that are not after it are ignored. From there the
    status is the highest seen, `last_viewed_at` the latest time, `completed_at` the earliest completion. The section
    is the one that was told last, corrected or not.
    """
    events = list(events)
    corrections = [event for event in events if isinstance(event, ProgressCorrected)]
    activity = [event for event in events if not isinstance(event, ProgressCorrected)]
    section = max(
        (Section(event.data.section_id, order(event)) for event in activity if event.data.section_id is not None),
        key=lambda each: each.order,
        default=None,
    )
    status, viewed, completed, corrected_at = ProgressStatus.NOT_STARTED, [], [], None
    if corrections:
        ruling = max(corrections, key=order)
        corrected_at = ruling.time
        activity = [event for event in activity if is_after(event, ruling)]
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
    return Progress(status, max(viewed, default=None), min(completed, default=None), corrected_at, section)


def is_after(event: LessonEvent, correction: ProgressCorrected) -> bool:
    """Whether the event counts beside the correction: it is later, or of the same time with a later sequence."""
    if event.time != correction.time or event.sequence is None or correction.sequence is None:
        return event.time > correction.time
    return sequence_key(event.sequence) > sequence_key(correction.sequence)
