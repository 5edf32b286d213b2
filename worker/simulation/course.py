"""The courses of the simulated class: outlines of different sizes, some revised in mid-term."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

TERM_START = datetime.fromisoformat("2025-01-13T08:00:00+00:00")
"""Fixed and in the past, so that every run simulates the same term and no event is ahead of a clock."""
TERM = timedelta(days=130)

SIZES = (8, 24, 45, 80, 150)
"""Lessons per course."""
LESSONS_PER_TOPIC = 6
SECTIONS = 4

_SUBJECTS = ("Map Reading", "Bread and Yeast", "Statistics", "Bicycle Repair", "World History")
_THEMES = ("Beginnings", "Tools", "Measuring", "Patterns", "Change", "Mistakes", "Practice", "Comparison", "Review")


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson. Its ids are unique across courses."""

    topic_id: int
    lesson_id: int
    title: str


@dataclass(frozen=True, slots=True)
class Course:
    """A course with its outlines and the times they apply from, in order."""

    id: int
    outlines: tuple[tuple[datetime, tuple[Lesson, ...]], ...]

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """The first outline."""
        return self.outlines[0][1]


def make_courses(random: Random) -> list[Course]:
    """Return all courses. Every other one is revised in mid-term: one lesson removed, one added, two swapped."""
    return [_course(random, number, size) for number, size in enumerate(SIZES, start=1)]


def outline_data(course: Course, lessons: tuple[Lesson, ...]) -> dict[str, Any]:
    """Return the `data` of a `course.outlined` event."""
    members = [{"topic_id": each.topic_id, "lesson_id": each.lesson_id, "title": each.title} for each in lessons]
    return {"course_id": course.id, "lessons": members}


def _course(random: Random, number: int, size: int) -> Course:
    lessons = tuple(_lesson(number, index) for index in range(size))
    outlines = [(TERM_START - timedelta(days=10), lessons)]
    if number % 2:
        revised = list(lessons)
        del revised[random.randrange(size)]
        revised.append(_lesson(number, size))
        first, second = random.sample(range(len(revised)), 2)
        revised[first], revised[second] = revised[second], revised[first]
        outlines.append((TERM_START + TERM / 2, tuple(revised)))
    return Course(number, tuple(outlines))


def _lesson(course: int, index: int) -> Lesson:
    topic, place = divmod(index, LESSONS_PER_TOPIC)
    theme = _THEMES[(topic + place) % len(_THEMES)]
    title = f"{_SUBJECTS[course - 1]} {topic + 1}.{place + 1}: {theme}"
    return Lesson(100 * course + topic + 1, 1_000 * course + index + 1, title)
