"""Replace the names in a batch by numbers, and give numbers to new names.

A name can always be given a number, so nothing waits for a map. New names are committed in a transaction of their own
before the batch: after a crash in between, the next delivery finds the same numbers. A batch of known names costs one
statement, of new ones at most eleven, whatever its size; an outline costs up to nine.
"""

from collections.abc import Sequence

from sqlalchemy import Engine

from worker.connections import find_connection
from worker.contract.batch import AwaitedLesson, Batch, LearnerOfCourse
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import Enrollment, EnrollmentCreated, LessonReopened, Reopening
from worker.contract.fast_path import Activity, DecodedLessonEvent, DecodedNamedEvent
from worker.contract.named_event import (
    NamedCourseOutlined,
    NamedEnrollmentCreated,
    NamedLessonEvent,
    NamedLessonReopened,
)
from worker.identity.allocate import allocate
from worker.identity.look_up import look_up
from worker.identity.names import UNKNOWN, Names, Numbers, Places
from worker.identity.outline_names import name_outline
from worker.logs import get_logger

log = get_logger(__name__)

_Named = tuple[Entry, NamedLessonEvent | NamedEnrollmentCreated | DecodedNamedEvent]


def resolve(engine: Engine, batch: Batch) -> None:
    """Move the events of `batch.named` to the lists of their kinds, with numbers, in order.

    Commits new names. Those that cannot be resolved go to `batch.rejected` (`unmapped`) or `batch.unknown_lessons`,
    those of users who do not count to `batch.ignored`. Call it before the batch's transaction, which must not be open.
    """
    named, batch.named = batch.named, []
    events: list[_Named] = []
    for entry, event in named:
        if isinstance(event, NamedCourseOutlined):
            _resolve_outline(engine, batch, entry, event)
        else:
            events.append((entry, event))
    if not events:
        return
    names = Names()
    placed = [(entry, event, names.add(event)) for entry, event in events]
    with engine.connect() as connection:
        numbers = look_up(connection, names)
    if UNKNOWN in numbers.users or UNKNOWN in numbers.enrollments or any(not each[2] for each in numbers.lessons):
        with engine.begin() as connection:
            numbers = allocate(connection, names, numbers, find_connection)
    _add_all(batch, placed, numbers)


def _resolve_outline(engine: Engine, batch: Batch, entry: Entry, event: NamedCourseOutlined) -> None:
    may_allocate = find_connection(event.source).ids == "allocate"
    with engine.begin() as connection:
        outlined, again = name_outline(connection, event, may_allocate=may_allocate)
    if outlined is None:
        batch.rejected.append((entry, _unmapped(event.source, "course or lesson")))
        return
    for each in again:
        log.warning("alias_moved", connection=event.source, detail=f"{each.alias!a:.200} is {each.lesson!a:.200} now")
    batch.add(entry, outlined)


def _add_all(
    batch: Batch,
    placed: Sequence[tuple[Entry, NamedLessonEvent | NamedEnrollmentCreated | DecodedNamedEvent, Places]],
    numbers: Numbers,
) -> None:
    policies = {source: find_connection(source) for source in {event.source for _, event, _ in placed}}
    for entry, event, places in placed:
        learner = places.learner - 1
        user_id, user_course_id = numbers.users[learner], numbers.enrollments[learner]
        if numbers.ignored[learner]:
            batch.ignored.append(entry)
            continue
        if isinstance(event, NamedEnrollmentCreated):
            if not user_course_id:
                batch.rejected.append((entry, _unmapped(event.source, "learner, course or enrollment")))
                continue
            data = Enrollment.model_construct(
                user_course_id=user_course_id,
                user_id=user_id,
                course_id=numbers.courses[places.course - 1],
                timezone=event.data.timezone,
            )
            enrolled = EnrollmentCreated.model_construct(
                id=event.id, source=event.source, time=event.time, sequence=event.sequence, data=data
            )
            batch.add(entry, enrolled)
            continue
        course_id, topic_id, lesson_id = numbers.lessons[places.lesson - 1]
        if not lesson_id:
            _add_unknown(batch, entry, event, places, numbers)
            continue
        if not user_course_id:
            batch.rejected.append((entry, _unmapped(event.source, "learner or enrollment")))
            continue
        policy = policies[event.source]
        if event.data.enrols and (policy.enrol == "any" or event.type == "lesson.completed"):
            batch.enrolling[user_course_id] = LearnerOfCourse(event.source, user_id, course_id)
        if isinstance(event, NamedLessonReopened):
            reopened = LessonReopened.model_construct(
                id=event.id,
                source=event.source,
                time=event.time,
                sequence=event.sequence,
                data=Reopening(user_course_id=user_course_id, topic_id=topic_id, lesson_id=lesson_id),
            )
            batch.add(entry, reopened)
            continue
        activity = Activity(user_course_id, topic_id, lesson_id, None, event.data.duration_seconds)
        batch.user_course_ids.add(user_course_id)
        batch.ledger_events.append(
            (
                entry,
                DecodedLessonEvent(
                    event.id,
                    event.source,
                    event.time,
                    event.type,
                    activity,
                    sequence=event.sequence,
                    untimed=event.untimed,
                ),
            )
        )


def _add_unknown(
    batch: Batch, entry: Entry, event: NamedLessonEvent | DecodedNamedEvent, places: Places, numbers: Numbers
) -> None:
    course_id = numbers.courses[places.course - 1] if places.course else None
    if course_id == UNKNOWN or find_connection(event.source).ids == "refuse":
        batch.rejected.append((entry, _unmapped(event.source, "course or lesson")))
    else:
        batch.unknown_lessons.append((entry, AwaitedLesson(event.source, event.data.lesson, course_id)))


def _unmapped(source: str, what: str) -> Rejection:
    return Rejection(
        Reason.UNMAPPED,
        f"the connection {source!a:.100} gives no numbers to new names (ids = refuse), and this {what} has none: "
        "load it with `progress-worker map load`, then redrive",
    )
