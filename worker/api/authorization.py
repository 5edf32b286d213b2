"""Which courses a token may touch."""

from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException

from worker.api.tokens import Token
from worker.contract.event import CourseOutlined, EnrollmentCreated, Event
from worker.service import UserCourseProgressService


async def require_enrollment(service: UserCourseProgressService, token: Token, user_course_id: int) -> None:
    """Return when the token may touch this enrollment; costs nothing for one that may touch all.

    Raises HTTPException 403, also where there is no enrollment: who is enrolled elsewhere is none of its business.
    """
    if token.courses is None:
        return
    courses = await service.get_course_ids([user_course_id])
    if courses.get(user_course_id) not in token.courses:
        raise HTTPException(
            403, f"The token {token.name!r} may not touch enrollment {user_course_id}, if there is one."
        )


def require_course(token: Token, course_id: int) -> None:
    """Return when the token may touch this course. Raises HTTPException 403, also where there is no such course."""
    if token.courses is not None and course_id not in token.courses:
        raise HTTPException(403, f"The token {token.name!r} may not touch course {course_id}, if there is one.")


async def forbidden_events(
    service: UserCourseProgressService, token: Token, events: Sequence[Event | None]
) -> list[str | None]:
    """Of each event why the token may not send it, None where it may; unreadable ones (None) are not judged here.

    Its course must be among the token's, and that of its enrollment now. So a limited token enrolls nobody: it would
    get what waits for an enrollment that the LMS has yet to make elsewhere.
    """
    if token.courses is None:
        return [None] * len(events)
    ids = {event.data.user_course_id for event in events if event and not isinstance(event, CourseOutlined)}
    courses = await service.get_course_ids(ids)
    return [_why_not(token, event, courses) if event else None for event in events]


def _why_not(token: Token, event: Event, courses: Mapping[int, int | None]) -> str | None:
    touched: set[int | None] = set()
    if isinstance(event, CourseOutlined | EnrollmentCreated):
        touched.add(event.data.course_id)
    if not isinstance(event, CourseOutlined):
        touched.add(courses.get(event.data.user_course_id))
    allowed: frozenset[int | None] = frozenset(token.courses or ())
    return None if touched <= allowed else f"the token {token.name!r} may not touch this course"
