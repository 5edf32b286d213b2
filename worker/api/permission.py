"""Which courses a token may touch."""

from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException

from worker.api.tokens import Token
from worker.domain.event import CourseOutlined, EnrollmentCreated, Event
from worker.services.summary import unknown_enrollment
from worker.services.user_course_progress_service import UserCourseProgressService


async def require_enrollment(service: UserCourseProgressService, token: Token, user_course_id: int) -> None:
    """Return when the token may touch this enrolment; costs nothing for one that may touch all.

    Raises HTTPException 403, or NotFoundError where there is no enrolment.
    """
    if token.courses is None:
        return
    courses = await service.get_course_ids([user_course_id])
    if user_course_id not in courses:
        raise unknown_enrollment(user_course_id)
    if courses[user_course_id] not in token.courses:
        raise HTTPException(403, f"The token {token.name!r} may not touch the course of enrolment {user_course_id}.")


async def forbidden_events(
    service: UserCourseProgressService, token: Token, events: Sequence[Event | None]
) -> list[str | None]:
    """Of each event why the token may not send it, None where it may; unreadable ones (None) are not judged here.

    An event needs its course to be among the token's: that of its enrolment as it is, or, for one that does not exist,
    as another event among these makes it.
    """
    if token.courses is None:
        return [None] * len(events)
    ids = {event.data.user_course_id for event in events if event and not isinstance(event, CourseOutlined)}
    courses = await service.get_course_ids(ids)
    for event in events:
        if isinstance(event, EnrollmentCreated) and event.data.course_id in token.courses:
            courses.setdefault(event.data.user_course_id, event.data.course_id)
    return [_why_not(token, event, courses) if event else None for event in events]


def _why_not(token: Token, event: Event, courses: Mapping[int, int | None]) -> str | None:
    touched: set[int | None] = set()
    if isinstance(event, CourseOutlined | EnrollmentCreated):
        touched.add(event.data.course_id)
    if not isinstance(event, CourseOutlined):
        touched.add(courses.get(event.data.user_course_id))
    allowed: frozenset[int | None] = frozenset(token.courses or ())
    return None if touched <= allowed else f"the token {token.name!r} may not touch this course"
