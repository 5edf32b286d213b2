"""The distinct names of a batch, and the numbers found for them. In memory only."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.contract.fast_path import DecodedNamedEvent
from worker.contract.named_event import NamedEnrollmentCreated, NamedLessonEvent

UNKNOWN = 0
"""In place of a number: the map does not have the name."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where an event's names are in the lists of `Names`; a lesson or course that it does not name is 0."""

    learner: int
    course: int
    lesson: int


@dataclass(slots=True)
class Names:
    """Each distinct name once. Places count from 1, as SQL's arrays do."""

    courses: dict[tuple[str, str], int] = field(default_factory=dict)
    """(source, course)"""
    lessons: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """(source, place of the course, lesson)"""
    topics: dict[int, str | None] = field(default_factory=dict)
    """The topic that the first event to name a lesson has it in, by the lesson's place."""
    learners: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    """(source, learner, place of the course, place of the lesson that tells the course)"""

    def add(self, event: NamedLessonEvent | NamedEnrollmentCreated | DecodedNamedEvent) -> Places:
        """Add the names of an event."""
        source, data, lesson = event.source, event.data, 0
        course = 0
        if data.course is not None:
            course = self.courses.setdefault((source, data.course), len(self.courses) + 1)
        if not isinstance(event, NamedEnrollmentCreated):
            lesson = self.lessons.setdefault((source, course, event.data.lesson), len(self.lessons) + 1)
            if lesson > len(self.topics):
                self.topics[lesson] = event.data.topic
        key = (source, data.learner, course, 0 if course else lesson)
        return Places(self.learners.setdefault(key, len(self.learners) + 1), course, lesson)


@dataclass(slots=True)
class Numbers:
    """The numbers of `Names`, in the order of their places; UNKNOWN where there is none."""

    courses: list[int]
    lessons: list[tuple[int, int, int]]
    """(course, topic, lesson)"""
    users: list[int]
    ignored: list[bool]
    enrollments: list[int]

    def course_of(self, places: Places) -> int:
        """Return the course of an event: the one it names, else that of its lesson."""
        return self.courses[places.course - 1] if places.course else self.lessons[places.lesson - 1][0]


def sources(names: Names) -> Iterable[str]:
    """Return the connections of the names."""
    return {source for source, *_ in names.learners}
