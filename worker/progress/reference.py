"""Reference model: the rules of progress in plain Python, for any collection of events. Production: record.py.

PostgreSQL applies the same rules batch by batch; tests, `demo` and audits compare the two. Here each rule has its
simplest form.
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
    LessonReopened,
    OutlineLesson,
    ProgressCorrected,
    TimelessEvent,
)
from worker.contract.identity import sequence_key
from worker.contract.lesson import Lesson, LessonKey
from worker.contract.progress_status import ProgressStatus
from worker.progress.moved_lessons import moved_lessons

Snapshot = TypeVar("Snapshot", EnrollmentCreated, CourseOutlined)
Order = tuple[datetime, str, bool, str]
"""(time, sequence, whether it is a view, event id): the greatest of an enrollment's events is the latest."""


class Recorded(StrEnum):
    """The result of recording an event."""

    APPLIED = "applied"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    IDENTITY_CONFLICT = "identity_conflict"
    ENROLLMENT_CONFLICT = "enrollment_conflict"


@dataclass(frozen=True, slots=True)
class Section:
    """The last section that an event of the lesson names, and the order of that event."""

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
    """The position of an enrollment: the lesson of its latest lesson event, with the lesson's last section."""

    topic_id: int
    lesson_id: int
    section_id: int | None
    order: Order
    is_tied: bool = False
    """Another lesson's event differs in order only by its id, so the outline decides."""

    @property
    def occurred_at(self) -> datetime:
        """The time of the latest lesson event."""
        return self.order[0]

    @property
    def event_id(self) -> str:
        """The identity of the latest lesson event."""
        return self.order[3]


@dataclass(frozen=True, slots=True)
class State:
    """The contents of the tables after a set of events."""

    enrollments: dict[int, EnrollmentCreated] = field(default_factory=dict)
    snapshots: dict[int, list[EnrollmentCreated]] = field(default_factory=dict)
    """The enrollment events of each enrollment, once per identity, in order."""
    outlines: dict[int, tuple[OutlineLesson, ...]] = field(default_factory=dict)
    progress: dict[LessonKey, Progress] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    ledger: dict[tuple[int, str], LedgerEvent] = field(default_factory=dict)
    conflicts: list[tuple[Event, Recorded]] = field(default_factory=list)
    """Dead letters: another event under a known identity, or another user's enrollment under a known id."""


def fold(events: Iterable[Event]) -> State:
    """Return the state after the events, regardless of order and duplication.

    The first event of an identity wins, and the first user of an enrollment. Only enrollment events and outlines of
    equal time and sequence depend on the order of arrival. Events of an enrollment that no event created are left out,
    as they are parked.
    """
    given = [event.as_correction() if isinstance(event, LessonReopened) else event for event in events]
    state = State()
    enrollments: dict[int, dict[str, EnrollmentCreated]] = defaultdict(dict)
    outlined: dict[int, dict[str, CourseOutlined]] = defaultdict(dict)
    enrolled = {event.data.user_course_id for event in given if isinstance(event, EnrollmentCreated)}
    for event in given:
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
    """Return whether two events of one identity are equal: in type, time and data.

    A repeated untimed event has another time.
    """
    is_untimed = isinstance(event, TimelessEvent) and event.untimed
    return (
        type(event) is type(other)
        and (event.time == other.time or is_untimed is True)
        and (sequence_key(event.sequence), event.data) == (sequence_key(other.sequence), other.data)
    )


def in_order(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Sort by time and sequence, keeping the order of arrival of equal ones; the latest is last."""
    return sorted(snapshots, key=lambda event: (event.time, sequence_key(event.sequence)))


def order(event: LedgerEvent) -> Order:
    """Return the order of an event within its enrollment; at the same time a completion precedes a view."""
    return event.time, sequence_key(event.sequence), event.type == "lesson.viewed", event.event_id


def lesson_ordinals(outline: Iterable[OutlineLesson]) -> dict[Lesson, int]:
    """Return the ordinal of each lesson in the outline, from 1, also by each of its earlier places."""
    lessons = list(outline)
    ordinals = {(lesson.topic_id, lesson.lesson_id): number for number, lesson in enumerate(lessons, 1)}
    return ordinals | {old: ordinals[new] for old, new in moved_lessons(lessons).items()}


def latest_event(events: Iterable[LessonEvent], ordinals: Mapping[Lesson, int]) -> tuple[LessonEvent, bool]:
    """Return the latest event, and whether only the outline or its id makes it later than another lesson's event."""
    events = list(events)
    last = max(order(event)[:3] for event in events)
    tied = [event for event in events if order(event)[:3] == last]
    latest = max(tied, key=lambda event: (ordinals.get(lesson_of(event), 0), event.event_id))
    return latest, len({lesson_of(event) for event in tied}) > 1


def lesson_of(event: LedgerEvent) -> Lesson:
    """Return the lesson that the event names."""
    return event.data.topic_id, event.data.lesson_id


def position(latest: LessonEvent, row: Progress, *, is_tied: bool) -> Position:
    """Return the position of an enrollment from its latest lesson event and that lesson's row."""
    section_id = row.section.section_id if row.section else None
    return Position(*lesson_of(latest), section_id, order(latest), is_tied)


def lesson_progress(events: Iterable[LedgerEvent]) -> Progress:
    """Return the row of one lesson, given its distinct events.

    It starts with the latest correction by order; events that are not after it are ignored. From there the status is
    the highest reached, `last_viewed_at` the latest time, `completed_at` the earliest completion. The section is the
    last one named, regardless of corrections.
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
        is_completion = isinstance(event, LessonCompleted)
        reached = ProgressStatus.COMPLETED if is_completion else ProgressStatus.IN_PROGRESS
        status = max(status, reached, key=lambda each: each.rank)
        viewed.append(event.time)
        if is_completion:
            completed.append(event.time)
    return Progress(status, max(viewed, default=None), min(completed, default=None), corrected_at, section)


def is_after(event: LessonEvent, correction: ProgressCorrected) -> bool:
    """Return whether the event counts after the correction: it is later by time, or by sequence at the same time."""
    if event.time != correction.time or event.sequence is None or correction.sequence is None:
        return event.time > correction.time
    return sequence_key(event.sequence) > sequence_key(correction.sequence)
