"""Translate events of Caliper 1.1 and 1.2, as sensors of 1EdTech's libraries and Open edX send them."""

from datetime import datetime

from worker.adapters.caliper_event import CaliperEvent, Entity, entity_of, event_id, missing, read_event
from worker.adapters.caliper_learner import learner_of
from worker.adapters.caliper_lesson import course_of, lesson_of
from worker.adapters.caliper_meaning import meaning_of
from worker.adapters.durations import read_duration
from worker.adapters.iris import canonical
from worker.adapters.names import to_name
from worker.adapters.outcome import Rejected
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLesson,
    NamedLessonViewed,
)
from worker.contract.value_types import MAX_DURATION_SECONDS


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a Caliper event; see `worker.adapters.translation.Translate`."""
    event = read_event(record)
    meaning = meaning_of(event)
    learner = learner_of(event)
    if meaning is None:
        return [_enrollment(event, learner, connection, arrived)]
    lesson = lesson_of(event, connection)
    course = course_of(event, lesson.name)
    event_type = NamedLessonViewed if lesson.is_part else meaning  # a part never completes a lesson
    return [
        event_type(
            id=event_id(event, "caliper"),
            source=connection.name,
            time=time_of(event, connection, arrived),
            data=NamedLesson(
                learner=learner,
                lesson=to_name(lesson.name),
                course=to_name(course) if course else None,
                duration_seconds=duration_of(event, connection, arrived),
            ),
        )
    ]


def time_of(event: CaliperEvent, connection: Connection, arrived: datetime) -> datetime:
    """Return the event's time. Raises Rejected, `missing_member` and as `read_time`."""
    if (value := event.members.get("eventTime")) in (None, ""):
        raise missing("an eventTime")
    return read_time(value, connection, arrived)


def duration_of(event: CaliperEvent, connection: Connection, arrived: datetime) -> int | None:
    """Return how long the attempt took, by its duration, else by its start and end.

    Of other things than attempts a duration says something else: how long a video is.
    """
    for attempt in (event.object, entity_of(event.members.get("generated"))):
        if attempt.type == "Attempt" and (seconds := _attempted(attempt, connection, arrived)) is not None:
            return seconds
    return None


def _attempted(attempt: Entity, connection: Connection, arrived: datetime) -> int | None:
    if (seconds := read_duration(attempt.members.get("duration"))) is not None:
        return seconds
    try:
        start, end = (
            read_time(attempt.members.get(member), connection, arrived) for member in ("startedAtTime", "endedAtTime")
        )
    except Rejected:
        return None
    taken = int((end - start).total_seconds() // 1)
    return taken if 0 <= taken <= MAX_DURATION_SECONDS else None


def _enrollment(event: CaliperEvent, learner: str, connection: Connection, arrived: datetime) -> NamedEnrollmentCreated:
    return NamedEnrollmentCreated(
        id=event_id(event, "caliper"),
        source=connection.name,
        time=time_of(event, connection, arrived),
        data=NamedEnrollment(
            learner=learner,
            course=to_name(canonical(event.object.id).name),
            timezone=connection.timezone or "UTC",
        ),
    )
