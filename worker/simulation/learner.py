"""One learner in a course: proceeds, re-reads, skips, drops out; and a teacher's corrections."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from worker.simulation.course import SECTIONS, TERM, TERM_START, Course, Lesson

SKIPS = 0.05
REREADS = 0.08
NEW_SESSION = 0.12


@dataclass(frozen=True, slots=True)
class Step:
    """A lesson event of a learner."""

    time: datetime
    type: str
    lesson: Lesson
    section: int | None
    seconds: int | None

    def data(self, user_course_id: int) -> dict[str, Any]:
        """Return the event's `data` without unknown members."""
        data: dict[str, Any] = {
            "user_course_id": user_course_id,
            "topic_id": self.lesson.topic_id,
            "lesson_id": self.lesson.lesson_id,
        }
        if self.section is not None:
            data["section_id"] = self.section
        if self.seconds is not None:
            data["duration_seconds"] = self.seconds
        return data


def make_steps(random: Random, course: Course, count: int) -> list[Step]:
    """Return exactly `count` events in time order. A small count means that the learner dropped out early."""
    return [
        Step(time, kind, lesson, section, random.randint(0, 1_500) if random.random() < 0.7 else None)
        for time, (kind, lesson, section) in zip(_times(random, count), _walk(random, course, count), strict=True)
    ]


def correction_data(random: Random, user_course_id: int, step: Step, time: datetime) -> dict[str, Any]:
    """Return the `data` of a `progress.corrected` event that resets the step's lesson or marks it completed."""
    done = random.random() < 0.5
    return {
        "user_course_id": user_course_id,
        "topic_id": step.lesson.topic_id,
        "lesson_id": step.lesson.lesson_id,
        "status": "completed" if done else "not_started",
        "last_viewed_at": step.time.isoformat() if done else None,
        "completed_at": time.isoformat() if done else None,
    }


def _walk(random: Random, course: Course, count: int) -> list[tuple[str, Lesson, int | None]]:
    """Return types, lessons and sections in outline order, with detours."""
    walk: list[tuple[str, Lesson, int | None]] = []
    index = section = 0
    while len(walk) < count:
        finished = index == len(course.lessons)
        if finished or (index and random.random() < REREADS):
            walk.append(("lesson.viewed", course.lessons[random.randrange(index)], random.randint(1, SECTIONS)))
            continue
        lesson = course.lessons[index]
        if section == 0 and index and random.random() < SKIPS:
            index += 1
        elif section < 1 + lesson.lesson_id % SECTIONS:
            section += 1
            walk.append(("lesson.viewed", lesson, section if random.random() < 0.8 else None))
        else:
            walk.append(("lesson.completed", lesson, None))
            index, section = index + 1, 0
    return walk


def _times(random: Random, count: int) -> list[datetime]:
    """Return times in sessions of minutes, days apart, compressed if they exceed the term."""
    gaps = [
        random.expovariate(1 / 130_000) if random.random() < NEW_SESSION else random.expovariate(1 / 240)
        for _ in range(count)
    ]
    start = random.uniform(0, 0.3) * TERM.total_seconds()
    scale = min(1.0, (TERM.total_seconds() - start) / max(sum(gaps), 1))
    times, elapsed = [], start
    for gap in gaps:
        elapsed += gap * scale
        times.append(TERM_START + timedelta(milliseconds=int(elapsed * 1000)))
    return times
