"""The distinct names of a batch, and the numbers found for them. In memory only."""

from dataclasses import dataclass, field
from typing import TypeVar

from worker.contract.fast_path import DecodedNamedEvent, NamedActivity
from worker.contract.named_event import NamedEnrollmentCreated, NamedLesson, NamedLessonEvent

Key = TypeVar("Key")

UNKNOWN = 0
"""In place of a number: the map does not have the name."""


Places = tuple[int, int]
"""Where an event's learner and lesson are in the lists of `Names`; an event without a lesson has place 0 for it."""


@dataclass(slots=True)
class Names:
    """Each distinct name once. Places count from 1, as SQL's arrays do."""

    courses: dict[tuple[str, str], int] = field(default_factory=dict)
    """(source, course)"""
    lessons: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """(source, place of the course or 0, lesson)"""
    topics: list[str | None] = field(default_factory=list)
    """The topic of each lesson according to the first event that names it."""
    learners: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    """(source, learner, place of the course or 0, place of the lesson that tells the course or 0)"""

    def add(self, event: NamedLessonEvent | NamedEnrollmentCreated | DecodedNamedEvent) -> Places:
        """Add the names of an event, unless they are there."""
        source, data = event.source, event.data
        course = lesson = 0
        if data.course is not None:
            course = _place(self.courses, (source, data.course))
        if isinstance(data, NamedActivity | NamedLesson):
            lesson = _place(self.lessons, (source, course, data.lesson))
            if lesson > len(self.topics):
                self.topics.append(data.topic)
        return _place(self.learners, (source, data.learner, course, 0 if course else lesson)), lesson


def _place(places: dict[Key, int], key: Key) -> int:
    place = places.get(key)
    if place is None:
        place = places[key] = len(places) + 1
    return place


@dataclass(slots=True)
class Numbers:
    """The numbers of `Names`, in the order of their places; UNKNOWN where there is none."""

    courses: list[int]
    lessons: list[tuple[int, int, int]]
    """(course, topic, lesson)"""
    users: list[int]
    ignored: list[bool]
    enrollments: list[int]
