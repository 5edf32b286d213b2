"""The endpoints that return our ids for an LMS's names, to a front end that knows only those. No answer has a name."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic.json_schema import SkipJsonSchema
from starlette.exceptions import HTTPException

from worker.api.dependencies import Caller, CallerParameter
from worker.api.problems import documented
from worker.api.schema import Answer
from worker.contract.value_types import Name
from worker.errors import NotFoundError
from worker.identity.look_up import NamedEnrollmentIds, NamedLessonIds

router = APIRouter(prefix="/map", tags=["map"])


def _name(description: str, example: str) -> Any:
    return Query(description=description, openapi_examples={example: {"value": example}})


_LIMITS = "Longer names: `sha256:` and the hexadecimal SHA-256 of their UTF-8."
ConnectionName = Annotated[Name, _name("The connection, the `source` of its events.", "moodle")]
Learner = Annotated[Name, _name(f"As in named events. {_LIMITS}", "user:4")]
Course = Annotated[Name, _name("As in named events.", "course:2")]
Lesson = Annotated[Name, _name("As in named events.", "cm:7")]
OfCourse = Annotated[
    Name | SkipJsonSchema[None], _name("By default the only course of the connection that has the lesson.", "course:2")
]


class EnrollmentIds(Answer):
    """The ids of an enrollment, for all other endpoints."""

    user_course_id: int
    user_id: int
    course_id: int


class LessonIds(Answer):
    """The ids of a lesson, for all other endpoints."""

    course_id: int
    topic_id: int
    lesson_id: int


@router.get(
    "/enrollment", summary="Find an enrollment by names", response_model=EnrollmentIds, responses=documented(404, 422)
)
async def find_enrollment(
    connection: ConnectionName, learner: Learner, course: Course, caller: CallerParameter
) -> object:
    """Return the ids of the enrollment that the connection's learner has in its course.

    It may not have been recorded yet: its events can still be waiting in the stream.
    """
    caller.require_connection(connection)
    return _visible(caller, await caller.service.find_enrollment(connection, learner, course), "enrollment")


@router.get("/lesson", summary="Find a lesson by names", response_model=LessonIds, responses=documented(404, 422))
async def find_lesson(
    connection: ConnectionName, lesson: Lesson, caller: CallerParameter, course: OfCourse = None
) -> object:
    """Return the ids of the lesson that the connection has under this name.

    Without `course`, of the only course that has it. A token limited to courses must name one.
    """
    caller.require_connection(connection)
    is_told = course is not None or caller.token.courses is None  # else the answer would depend on other courses
    found = await caller.service.find_lesson(connection, lesson, course) if is_told else None
    return _visible(caller, found, "lesson")


def _visible(caller: Caller, found: NamedEnrollmentIds | NamedLessonIds | None, what: str) -> object:
    """Return the ids if the caller may see them. The 403 is the same for what is unknown, so that it tells nothing."""
    allowed = caller.token.courses
    if allowed is not None and (found is None or found.course_id not in allowed):
        raise HTTPException(403, f"The token {caller.token.name!r} has no access to this {what}, if any.")
    if found is None:
        raise NotFoundError(f"No {what} is known under these names. Names are compared byte for byte.")
    return found
