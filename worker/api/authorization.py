"""Check which courses a token may access, and whose names it may use."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from starlette.exceptions import HTTPException

from worker.api.tokens import Token
from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LessonCompleted,
    LessonReopened,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.named_event import NamedEvent
from worker.progress.events_without_course import lessons_named_by
from worker.service import UserCourseProgressService

_OF_ENROLLMENT = LessonViewed | LessonCompleted | LessonReopened | EnrollmentCreated | ProgressCorrected
"""Events with a `user_course_id`."""


async def require_enrollment(service: UserCourseProgressService, token: Token, user_course_id: int) -> None:
    """Raise HTTPException 403 unless the token may access this enrollment; no query for tokens of all courses.

    Also 403 where there is no such enrollment, so that a token cannot probe for enrollments outside its courses.
    """
    if token.courses is None:
        return
    courses = await service.get_course_ids([user_course_id])
    if courses.get(user_course_id) not in token.courses:
        raise HTTPException(403, f"The token {token.name!r} has no access to enrollment {user_course_id}, if any.")


async def visible_enrollments(
    service: UserCourseProgressService, token: Token, user_course_ids: Collection[int]
) -> Collection[int]:
    """Return those of these enrollments that the token may access; for a token of all courses also unknown ones."""
    if token.courses is None:
        return user_course_ids
    courses = await service.get_course_ids(user_course_ids)
    return [each for each in user_course_ids if courses.get(each) in token.courses]


def require_course(token: Token, course_id: int) -> None:
    """Raise HTTPException 403 unless the token may access this course, existing or not."""
    if token.courses is not None and course_id not in token.courses:
        raise HTTPException(403, f"The token {token.name!r} has no access to course {course_id}, if any.")


def require_connection(token: Token, connection: str) -> None:
    """Raise HTTPException 403 unless the token may use this connection's names."""
    if token.connection not in {None, connection}:
        raise HTTPException(403, f"The token {token.name!r} is for the names of another connection.")


async def forbidden_events(
    service: UserCourseProgressService, token: Token, events: Sequence[Event | NamedEvent | None]
) -> list[str | None]:
    """Return for each event why the token may not send it, or None if it may. Unreadable events (None) get None.

    A token of one connection sends no other connection's names. A token of some courses needs the event's course, of a
    named event as the map has it now.

    By number it also needs the current course of the enrollment. So it cannot create enrollments: it would also receive
    events that wait for an enrollment the LMS will create in another course. By name it can, because an enrollment's
    number follows from its learner and course: no event of another course waits for it. But it gives no course to a
    lesson for which events wait that name none: they may be another course's.
    """
    needed: Sequence[AbstractSet[int | None]] = [frozenset()] * len(events)
    if token.courses is not None:
        needed = await _needed_courses(service, events)
    return [_denial(token, event, courses) for event, courses in zip(events, needed, strict=True)]


async def _needed_courses(
    service: UserCourseProgressService, events: Sequence[Event | NamedEvent | None]
) -> list[AbstractSet[int | None]]:
    """Return the courses that each event needs. None among them is a course that no limited token may access."""
    named = [event for event in events if isinstance(event, NamedEvent)]
    of_named = iter(await service.find_course_of_each(named))
    awaited = await service.find_awaited({lesson for event in named for lesson in lessons_named_by(event)})
    ids = {event.data.user_course_id for event in events if isinstance(event, _OF_ENROLLMENT)}
    current = await service.get_course_ids(ids)
    needed: list[AbstractSet[int | None]] = []
    for event in events:
        courses: set[int | None] = set()
        if isinstance(event, NamedEvent):
            courses.add(next(of_named))
            if awaited and not awaited.isdisjoint(lessons_named_by(event)):
                courses.add(None)
        if isinstance(event, CourseOutlined | EnrollmentCreated):
            courses.add(event.data.course_id)
        if isinstance(event, _OF_ENROLLMENT):
            courses.add(current.get(event.data.user_course_id))
        needed.append(courses)
    return needed


def _denial(token: Token, event: Event | NamedEvent | None, needed: AbstractSet[int | None]) -> str | None:
    if isinstance(event, NamedEvent) and token.connection not in {None, event.source}:
        return f"the token {token.name!r} is for the names of another connection"
    if token.courses is not None and not needed <= token.courses:
        return f"the token {token.name!r} has no access to this course"
    return None
