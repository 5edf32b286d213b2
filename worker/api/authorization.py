"""Check which courses a token may access."""

from collections.abc import Collection, Mapping, Sequence

from starlette.exceptions import HTTPException

from worker.api.tokens import Token
from worker.contract.event import CourseOutlined, EnrollmentCreated, Event
from worker.service import UserCourseProgressService


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


async def forbidden_events(
    service: UserCourseProgressService, token: Token, events: Sequence[Event | None]
) -> list[str | None]:
    """Return for each event why the token may not send it, or None if it may. Unreadable events (None) get None.

    The token needs the event's course and the current course of its enrollment. So a limited token cannot create
    enrollments: it would also receive events that wait for an enrollment the LMS will create in another course.
    """
    if token.courses is None:
        return [None] * len(events)
    ids = {event.data.user_course_id for event in events if event and not isinstance(event, CourseOutlined)}
    courses = await service.get_course_ids(ids)
    return [_denial(token, event, courses) if event else None for event in events]


def _denial(token: Token, event: Event, courses: Mapping[int, int | None]) -> str | None:
    needed: set[int | None] = set()
    if isinstance(event, CourseOutlined | EnrollmentCreated):
        needed.add(event.data.course_id)
    if not isinstance(event, CourseOutlined):
        needed.add(courses.get(event.data.user_course_id))
    allowed: frozenset[int | None] = frozenset(token.courses or ())
    return None if needed <= allowed else f"the token {token.name!r} has no access to this course"
