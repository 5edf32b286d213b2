"""Plain-Python rules of named events: what the tables hold by name, after batches and sweeps in this order.

Nothing here is production's but `fold`, which gets numbers that are assigned here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Engine

from tests.support.events import completed, corrected, enrolled, outlined, viewed
from tests.support.named import rows_by_name
from tests.support.tables import rows
from worker.contract.connection import Connection
from worker.contract.event import Event
from worker.contract.named_event import NamedCourseOutlined, NamedEnrollmentCreated, NamedEvent, NamedLessonEvent
from worker.progress.reference import State, fold

Row = tuple[str, datetime | None, datetime | None]
"""(status, last viewed, completed)"""
Learner = tuple[str, str, str]
"""(source, learner, course)"""
BEFORE_ALL = datetime.fromisoformat("1970-01-01T00:00:00Z")


class NamedModel:
    """Deliver batches and sweeps to it as to the worker, then compare."""

    def __init__(self, policies: Iterable[Connection] = (), ignored: Collection[tuple[str, str]] = ()) -> None:
        self.policies = {each.name: each for each in policies}
        self.ignored = ignored
        self.lessons: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        """The number of each name by (source, course); aliases share one."""
        self.numbers: dict[Any, int] = defaultdict(count(1).__next__)
        self.aliases: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.outlined: dict[tuple[str, str], datetime] = {}
        self.learners: dict[int, Learner] = {}
        self.numbered: list[Event] = []
        self.unknown: list[NamedLessonEvent] = []

    def deliver(self, batch: Iterable[NamedEvent]) -> None:
        """One batch: its outlines name first, then its events that tell their course; then all are recorded."""
        batch = list(batch)
        outlines = [event for event in batch if isinstance(event, NamedCourseOutlined)]
        for outline in sorted(outlines, key=lambda event: event.time):
            self._outline(outline)
        events = [event for event in batch if not isinstance(event, NamedCourseOutlined)]
        for event in events:
            if isinstance(event, NamedLessonEvent) and event.data.course and self._policy(event).lessons == "create":
                its = self.lessons[event.source, event.data.course]
                its.setdefault(event.data.lesson, self._new())
        for event in events:
            if (event.source, event.data.learner) not in self.ignored:
                self._record(event)

    def sweep(self) -> None:
        """Try the events again whose lesson was unknown."""
        waiting, self.unknown = self.unknown, []
        self.deliver(waiting)

    def state(self) -> State:
        """What follows from the numbered events."""
        return fold(self.numbered)

    def rows(self) -> dict[tuple[str, str, str, str], Row]:
        """Like `rows_by_name`, where a lesson with aliases is there by each name."""
        found = {}
        for (key, _, lesson_id), row in self.state().progress.items():
            source, learner, course = self.learners[key]
            for name, number in self.lessons[source, course].items():
                if number == lesson_id:
                    found[source, learner, course, name] = (row.status.value, row.last_viewed_at, row.completed_at)
        return found

    def positions(self) -> dict[Learner, tuple[frozenset[str], datetime]]:
        """The names of each learner's current lesson, and since when."""
        return {
            self.learners[key]: (
                frozenset(
                    name
                    for name, number in self.lessons[self.learners[key][0], self.learners[key][2]].items()
                    if number == its.lesson_id
                ),
                its.occurred_at,
            )
            for key, its in self.state().positions.items()
        }

    def zones(self) -> dict[Learner, str]:
        """The time zone of each enrollment."""
        return {self.learners[key]: its.data.timezone for key, its in self.state().enrollments.items()}

    def waiting(self) -> Counter[tuple[str, str]]:
        """The parked events by (reason, id)."""
        known = self.state().enrollments
        found = Counter(("unknown_lesson", event.id) for event in self.unknown)
        for event in self.numbered:
            key = getattr(event.data, "user_course_id", None)
            if key is not None and key not in known:
                found["unknown_enrollment", event.id] += 1
        return found

    def _policy(self, event: NamedEvent) -> Connection:
        return self.policies.get(event.source) or Connection(name=event.source)

    def _new(self) -> int:
        return self.numbers[object()]

    def _outline(self, event: NamedCourseOutlined) -> None:
        key = event.source, event.data.course
        known, lessons = self.lessons[key], event.data.lessons
        is_latest = event.time >= self.outlined.get(key, event.time)
        if is_latest:
            self.outlined[key] = event.time
        taken = {each.lesson for each in lessons}
        own = {known[each.lesson] for each in lessons if each.lesson in known}
        numbers: dict[str, tuple[int, int, str | None]] = {}
        primary = known.keys() - self.aliases[key]
        for each in sorted(lessons, key=lambda each: each.lesson not in primary):
            names = [each.lesson]
            for alias in each.aliases or ():
                if alias not in taken:
                    taken.add(alias)
                    names.append(alias)
            used = {number for _, number, _ in numbers.values()}
            candidates = [known[names[0]]] if names[0] in known else []
            candidates += [known[name] for name in names[1:] if name in known and known[name] not in own]
            number = next((each for each in candidates if each not in used or not is_latest), None) or self._new()
            numbers[each.lesson] = (1, number, each.title)
            for name in names:
                if is_latest or name not in known:
                    (self.aliases[key].discard if name == each.lesson else self.aliases[key].add)(name)
                known[name] = number if is_latest else known.get(name, number)
        if is_latest:  # an older one may have twice what is one lesson now
            in_order = [numbers[each.lesson] for each in lessons]
            self.numbered.append(outlined(self.numbers["course", *key], in_order, **_envelope(event)))

    def _record(self, event: NamedLessonEvent | NamedEnrollmentCreated) -> None:
        if isinstance(event, NamedEnrollmentCreated):
            key = self._enrollment(event.source, event.data.learner, event.data.course)
            self._enroll(key, **_envelope(event), timezone=event.data.timezone)
            return
        data, policy = event.data, self._policy(event)
        courses = (
            [data.course] if data.course else [course for source, course in self.lessons if source == event.source]
        )
        found = [course for course in courses if data.lesson in self.lessons[event.source, course]]
        if len(found) != 1:
            self.unknown.append(event)
            return
        key = self._enrollment(event.source, data.learner, found[0])
        if data.enrols and (policy.enrol == "any" or event.type == "lesson.completed"):
            self._enroll(key, id=f"auto/{key}", time=BEFORE_ALL, timezone=policy.timezone or "UTC")
        number = self.lessons[event.source, found[0]][data.lesson]
        if event.type == "lesson.reopened":
            time = event.time
            self.numbered.append(
                corrected(key, 1, number, status="in_progress", last_viewed_at=time, **_envelope(event))
            )
        else:
            make: Callable[..., Event] = viewed if event.type == "lesson.viewed" else completed
            self.numbered.append(make(key, 1, number, duration_seconds=data.duration_seconds, **_envelope(event)))

    def _enrollment(self, *learner: str) -> int:
        source, name, course = learner
        key = self.numbers[learner]
        self.learners[key] = (source, name, course)
        return key

    def _enroll(self, key: int, **other: Any) -> None:
        source, name, course = self.learners[key]
        ids = {"user_id": self.numbers["user", source, name], "course_id": self.numbers["course", source, course]}
        time = other.pop("time")
        event = enrolled(key, **ids, **other)
        self.numbered.append(event.model_copy(update={"time": time}))


def _envelope(event: NamedEvent) -> dict[str, Any]:
    return {"id": event.id, "source": event.source, "time": event.time, "sequence": event.sequence}


ENROLLMENTS = """
    SELECT learner.source, learner.key, course.key, timezone, position_at,
           (SELECT coalesce(array_agg(key), '{}') FROM external_id AS lesson
            WHERE (kind, scope, id) = ('lesson', its.course_id, current_lesson))
    FROM external_enrollment AS its JOIN user_course ON user_course.id = its.user_course_id
    JOIN external_id AS learner ON (learner.kind, learner.id) = ('user', its.user_id)
    JOIN external_id AS course ON (course.kind, course.id) = ('course', its.course_id)
"""


def assert_equals_named_model(engine: Engine, model: NamedModel) -> None:
    """Rows, positions, zones and parked events are those of the model; no other dead letter; no number is given twice.

    Where an outline decides between lessons of one time, summaries must be current.
    """
    assert rows_by_name(engine) == model.rows()
    stored = rows(engine, ENROLLMENTS)
    assert {tuple(row[:3]): row[3] for row in stored} == model.zones()
    assert {tuple(row[:3]): (frozenset(row[5]), row[4]) for row in stored if row[4]} == model.positions()
    assert Counter(_letters(engine)) == model.waiting()
    assert_numbers_are_distinct(engine)


def assert_numbers_are_distinct(engine: Engine) -> None:
    """Only names of one lesson share a number, and each enrollment has one."""
    shared = """
        SELECT kind, id FROM external_id GROUP BY kind, id
        HAVING count(*) > 1 AND (kind <> 'lesson' OR count(DISTINCT (source, scope, topic_id)) > 1)
    """
    assert rows(engine, shared) == []
    assert rows(engine, "SELECT id FROM external_id WHERE kind = 'topic' AND id IN (" + _LESSONS + ")") == []


_LESSONS = "SELECT id FROM external_id WHERE kind = 'lesson'"


def _letters(engine: Engine) -> Iterator[tuple[str, str]]:
    sql = "SELECT reason, convert_from(body, 'UTF8')::json->>'id' FROM dead_letter"
    yield from ((reason, its) for reason, its in rows(engine, sql))
