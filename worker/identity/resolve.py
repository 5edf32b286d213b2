"""Replace the names in a batch by numbers, and give numbers to new names.

A name can always be given a number, so nothing waits for a map. New names are committed in a transaction of their own
before the batch: after a crash in between, the next delivery finds the same numbers. A batch of known names costs one
statement, of new ones six, and at most eleven if other sessions name the same, whatever its size; an outline costs
eight.
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
    outlines: list[tuple[Entry, NamedCourseOutlined]] = []
    for entry, event in named:
        if isinstance(event, NamedCourseOutlined):
            outlines.append((entry, event))
        else:
            events.append((entry, event))
    for entry, outline in sorted(outlines, key=lambda each: each[1].time):  # the latest has the last word on aliases
        _resolve_outline(engine, batch, entry, outline)
    if not events:
        return
    names = Names()
    places = [names.add(event) for _, event in events]
    with engine.connect() as connection:
        numbers = look_up(connection, names)
    if _is_any_unknown(numbers):
        with engine.begin() as connection:
            numbers = allocate(connection, names, numbers, find_connection)
    _Resolved(batch, names, numbers).add_all(events, places)


def _is_any_unknown(numbers: Numbers) -> bool:
    return (
        UNKNOWN in numbers.users
        or any(lesson_id == UNKNOWN for _, _, lesson_id in numbers.lessons)
        or any(
            enrollment == UNKNOWN and not is_ignored
            for enrollment, is_ignored in zip(numbers.enrollments, numbers.ignored, strict=True)
        )
    )


def _resolve_outline(engine: Engine, batch: Batch, entry: Entry, event: NamedCourseOutlined) -> None:
    may_allocate = find_connection(event.source).ids == "allocate"
    with engine.begin() as connection:
        outlined, again = name_outline(connection, event, may_allocate=may_allocate)
    if outlined is None:
        batch.rejected.append((entry, _unmapped(event.source, "course or lesson")))
        return
    for each in again:
        what = "a lesson of its own" if each.name == each.lesson else f"another name of {each.lesson!a:.200}"
        log.warning("alias_moved", connection=event.source, detail=f"{each.name!a:.200} is now {what}")
    batch.add(entry, outlined)


class _Resolved:
    """Adds the events to their batch with their numbers."""

    def __init__(self, batch: Batch, names: Names, numbers: Numbers) -> None:
        self._batch = batch
        self._numbers = numbers
        self._learners = list(names.learners)
        self._courses = [0, *numbers.courses]
        self._lesson_courses = [0, *(course for _, course, _ in names.lessons)]
        sources = {source for source, *_ in names.learners}
        self._policies = {source: find_connection(source) for source in sources}

    def add_all(self, events: Sequence[_Named], places: Sequence[Places]) -> None:
        numbers, batch = self._numbers, self._batch
        explicit = {source for source, policy in self._policies.items() if policy.enrol == "explicit"}
        enrolling: set[int] = set()
        for (entry, event), (learner, lesson) in zip(events, places, strict=True):
            user_course_id = numbers.enrollments[learner - 1]
            _, topic_id, lesson_id = numbers.lessons[lesson - 1] if lesson else (0, 0, 0)
            if numbers.ignored[learner - 1]:
                batch.ignored.append(entry)
                continue
            if isinstance(event, NamedEnrollmentCreated):
                self._add_enrollment(entry, event, learner)
                continue
            if not (user_course_id and lesson_id):
                self._set_aside(entry, event, learner, lesson)
                continue
            data = event.data
            if data.enrols and (event.source not in explicit or event.type == "lesson.completed"):
                enrolling.add(learner)
            if isinstance(event, NamedLessonReopened):
                self._add_reopened(entry, event, user_course_id, topic_id, lesson_id)
                continue
            activity = Activity(user_course_id, topic_id, lesson_id, None, data.duration_seconds)
            numbered = DecodedLessonEvent(
                event.id, event.source, event.time, event.type, activity, sequence=event.sequence, untimed=event.untimed
            )
            batch.ledger_events.append((entry, numbered))
            batch.user_course_ids.add(user_course_id)
        for learner in enrolling:
            source = self._learners[learner - 1][0]
            its = LearnerOfCourse(source, numbers.users[learner - 1], self._course_of(learner))
            batch.enrolling[numbers.enrollments[learner - 1]] = its

    def _add_enrollment(self, entry: Entry, event: NamedEnrollmentCreated, learner: int) -> None:
        if not (user_course_id := self._numbers.enrollments[learner - 1]):
            self._batch.rejected.append((entry, self._missing(event, learner, "learner or course")))
            return
        data = Enrollment.model_construct(
            user_course_id=user_course_id,
            user_id=self._numbers.users[learner - 1],
            course_id=self._courses[self._learners[learner - 1][2]],
            timezone=event.data.timezone,
        )
        enrolled = EnrollmentCreated.model_construct(
            id=event.id,
            source=event.source,
            time=event.time,
            sequence=event.sequence,
            untimed=event.untimed,
            data=data,
        )
        self._batch.add(entry, enrolled)

    def _add_reopened(
        self, entry: Entry, event: NamedLessonReopened, user_course_id: int, topic_id: int, lesson_id: int
    ) -> None:
        reopened = LessonReopened.model_construct(
            id=event.id,
            source=event.source,
            time=event.time,
            sequence=event.sequence,
            data=Reopening(user_course_id=user_course_id, topic_id=topic_id, lesson_id=lesson_id),
        )
        self._batch.add(entry, reopened)

    def _set_aside(self, entry: Entry, event: NamedLessonEvent | DecodedNamedEvent, learner: int, lesson: int) -> None:
        """Let the event wait for its lesson, unless its connection gives no numbers to new names."""
        course, is_known = self._lesson_courses[lesson], self._numbers.lessons[lesson - 1][2] != UNKNOWN
        if is_known or self._policies[event.source].ids == "refuse":
            what = "learner" if is_known else "course or lesson"
            self._batch.rejected.append((entry, self._missing(event, learner if is_known else 0, what)))
        else:
            awaited = AwaitedLesson(event.source, event.data.lesson, self._courses[course] or None)
            self._batch.unknown_lessons.append((entry, awaited))

    def _missing(
        self, event: NamedLessonEvent | NamedEnrollmentCreated | DecodedNamedEvent, learner: int, what: str
    ) -> Rejection:
        """Return that the event waits for the LMS's own enrollment, or that a name has no number."""
        if learner and self._numbers.users[learner - 1] and self._course_of(learner):
            detail = "waits for the LMS: user_course has no row of this learner in this course yet (ids = refuse)"
            return Rejection(Reason.UNKNOWN_REFERENCE, detail)
        return _unmapped(event.source, what)

    def _course_of(self, learner: int) -> int:
        _, _, course, lesson = self._learners[learner - 1]
        return self._courses[course] or self._numbers.lessons[lesson - 1][0]


def _unmapped(source: str, what: str) -> Rejection:
    return Rejection(
        Reason.UNMAPPED,
        f"the connection {source!a:.100} gives no numbers to new names (ids = refuse), and this {what} has none: "
        "load it with `progress-worker map load`, then redrive",
    )
