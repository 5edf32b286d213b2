"""The whole class: enrollments, events, and the order in which they reach the stream."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from worker.contract.event import partition_key
from worker.errors import InputError
from worker.simulation.course import TERM_START, Course, make_courses, outline_data
from worker.simulation.learner import correction_data, make_steps
from worker.simulation.mishap import bad_events, reformatted
from worker.simulation.published import Published, cloud_event, encode

UNKNOWN_FROM = 9_000_000_000
"""Enrollments from this id are never created."""
DUPLICATES = 0.1
LATE = 0.02
ENROLLED_LATE = 0.1
CORRECTED = 0.05
JITTER = 40
"""How far events that are not late are displaced in the publishing order, at most."""
MAX_OF_EACH_BAD_KIND = 3
TIMEZONES = ("Europe/Oslo", "Asia/Kolkata", "America/Bogota", None)


@dataclass(frozen=True, slots=True)
class _ValidEvent:
    """A valid event. If `late`, it is published only after the learner's first events."""

    time: datetime
    event: dict[str, Any]
    late: bool = False


def simulate(seed: int, learners: int, events: int) -> list[Published]:
    """Return exactly `events` entries about `learners` enrollments, in publishing order, equal for equal arguments.

    A tenth are duplicates, neighbors swap places, some events are late, and some enrollments come after their learner's
    first events, which have to wait. Raises InputError if there are too few events for the learners.
    """
    random = Random(seed)  # noqa: S311 - a simulation, not a secret
    event_id = _event_ids(random)
    courses = make_courses(random)
    chosen = [random.choice(courses) for _ in range(learners)]

    bad: list[Published] = []
    for turn in range(min(MAX_OF_EACH_BAD_KIND, events // 300)):
        bad += bad_events(event_id, 1 + turn % learners, UNKNOWN_FROM + 10 * turn, TERM_START + timedelta(days=turn))
    repeats = int(events * DUPLICATES)
    valid = [
        _ValidEvent(time, cloud_event(event_id(), "course.outlined", time, outline_data(course, lessons)))
        for course in courses
        for time, lessons in course.outlines
    ]
    corrections = int(learners * CORRECTED)
    count = events - len(bad) - repeats - len(valid) - learners - corrections
    if count < learners:
        raise InputError(f"{events} events are too few for {learners} learners: give each about five at least.")
    for user_course_id, (course, share) in enumerate(
        zip(chosen, _shares(random, count, learners), strict=True), start=1
    ):
        valid += _learner(random, event_id, user_course_id, course, share, user_course_id <= corrections)
    return _publish(random, valid, repeats, bad)


def _learner(
    random: Random, event_id: Callable[[], str], user_course_id: int, course: Course, count: int, corrected: bool
) -> list[_ValidEvent]:
    steps = make_steps(random, course, count)
    enrolled_at = steps[0].time - timedelta(minutes=random.randint(1, 5_000))
    enrollment: dict[str, Any] = {"user_course_id": user_course_id, "user_id": 50_000 + user_course_id}
    enrollment |= {"course_id": course.id, "timezone": random.choice(TIMEZONES)}
    valid = [
        _ValidEvent(
            enrolled_at,
            cloud_event(event_id(), "enrollment.created", enrolled_at, enrollment),
            late=random.random() < ENROLLED_LATE,
        )
    ]
    valid += [
        _ValidEvent(step.time, cloud_event(event_id(), step.type, step.time, step.data(user_course_id)))
        for step in steps
    ]
    if corrected:
        step = random.choice(steps)
        time = step.time + timedelta(minutes=random.randint(0, 3_000))
        data = correction_data(random, user_course_id, step, time)
        valid.append(_ValidEvent(time, cloud_event(event_id(), "progress.corrected", time, data)))
    return valid


def _publish(random: Random, valid: list[_ValidEvent], repeats: int, bad: list[Published]) -> list[Published]:
    """Put all entries in publishing order: by time, with the disorder of networks and retries."""
    valid.sort(key=lambda each: each.time)
    total = len(valid)
    placed: list[tuple[float, Published]] = []
    first_seen: dict[int | None, float] = {}
    for index, each in enumerate(valid):
        key = partition_key(each.event["data"])
        if each.event["type"] == "lesson.viewed":
            first_seen.setdefault(key, index)
        place = index + random.uniform(-JITTER, JITTER)
        if random.random() < LATE:
            place += random.uniform(0, total / 5)
        if not each.late:
            placed.append((place, Published(encode(each.event), key)))
    for each in valid:
        if each.late:
            key = partition_key(each.event["data"])
            place = first_seen.get(key, 0) + random.uniform(JITTER, total / 10)
            placed.append((place, Published(encode(each.event), key)))
    for _ in range(repeats):
        index = random.randrange(total)
        event = valid[index].event
        body = encode(event) if random.random() < 0.6 else reformatted(event)
        placed.append((index + random.uniform(-JITTER, total / 10), Published(body, partition_key(event["data"]))))
    placed += [(random.uniform(0, total), each) for each in bad]
    placed.sort(key=lambda each: each[0])
    return [each for _, each in placed]


def _shares(random: Random, count: int, learners: int) -> list[int]:
    """Distribute `count` events over the learners, at least one each. Many drop out early, a few are very active."""
    weights = [random.lognormvariate(0, 0.9) for _ in range(learners)]
    spare, total = count - learners, sum(weights)
    shares = [1 + int(spare * weight / total) for weight in weights]
    for index in range(count - sum(shares)):
        shares[index % learners] += 1
    return shares


def _event_ids(random: Random) -> Callable[[], str]:
    """Return a generator of ids, mostly UUIDs; some publishers use counters."""
    counted = 0

    def event_id() -> str:
        nonlocal counted
        counted += 1
        if counted % 5 == 0:
            return f"event-{counted}"
        return str(UUID(int=random.getrandbits(128), version=4))

    return event_id
