"""Endpoints that list courses, enrollments, summaries and rows. Each shows only what the token may access."""

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from worker.analytics import course_list
from worker.api.dependencies import CallerParameter
from worker.api.list_schema import Courses, Enrollments, Rows, Summaries
from worker.api.problems import documented
from worker.api.summary import After, Limit, Status, bookmark, bookmark_text
from worker.contract.id_ranges import MAX_ID
from worker.summary import enrollment_list
from worker.summary.enrollment_list import as_mapping
from worker.summary.lessons import PAGE
from worker.summary.read import MAX_SUMMARIES

router = APIRouter()

_ID_TEXT = re.compile("[1-9][0-9]{0,18}")

AfterId = Annotated[int, Query(ge=0, le=MAX_ID, description="The previous page's `next_after`.")]
CourseLimit = Annotated[int, Query(ge=1, le=course_list.MAX_COURSES, description="Maximum number of courses.")]
EnrollmentLimit = Annotated[int, Query(ge=1, le=MAX_SUMMARIES, description="Maximum number of enrollments.")]
_Id = Annotated[int, Field(ge=1, le=MAX_ID)]
OfCourse = Annotated[_Id | SkipJsonSchema[None], Query(description="Only those of this course.")]
OfUser = Annotated[_Id | SkipJsonSchema[None], Query(description="Only those of this user.")]
UserCourseId = Annotated[int, Query(ge=1, le=MAX_ID, description="The enrollment.", examples=[1])]
UserCourseIds = Annotated[
    list[str],
    Query(
        alias="user_course_id",
        min_length=1,
        max_length=MAX_SUMMARIES,
        description="The enrollments: `?user_course_id=1&user_course_id=2`.",
        examples=[["1", "2"]],
    ),
]


@router.get("/courses", tags=["analytics"], summary="List courses", response_model=Courses, responses=documented(422))
async def list_courses(caller: CallerParameter, after: AfterId = 0, limit: CourseLimit = course_list.PAGE) -> object:
    """Return a page of the courses that have an enrollment or an outline."""
    return await caller.service.list_courses(courses=caller.token.courses, after=after, limit=limit)


@router.get(
    "/enrollments",
    tags=["enrollment"],
    summary="List enrollments",
    response_model=Enrollments,
    responses=documented(422),
)
async def list_enrollments(
    caller: CallerParameter,
    course_id: OfCourse = None,
    user_id: OfUser = None,
    after: AfterId = 0,
    limit: EnrollmentLimit = enrollment_list.PAGE,
) -> object:
    """Return a page of the enrollments of a course, of a user, of both, or of all, each with its summary."""
    if course_id is not None:
        caller.require_course(course_id)
    page = await caller.service.list_enrollments(
        course_id=course_id, user_id=user_id, courses=caller.token.courses, after=after, limit=limit
    )
    return {"enrollments": [as_mapping(each) for each in page.enrollments], "next_after": page.next_after}


@router.get(
    "/summaries",
    tags=["enrollment"],
    summary="Get several summaries",
    response_model=Summaries,
    responses=documented(422),
)
async def get_summaries(user_course_ids: UserCourseIds, caller: CallerParameter) -> object:
    """Return the summaries of up to 200 enrollments. One that is unknown does not stop the others."""
    ids = {each: int(each) for each in user_course_ids if _ID_TEXT.fullmatch(each) and int(each) <= MAX_ID}
    visible = await caller.visible_enrollments(list(ids.values()))
    found = await caller.service.get_user_course_progress_summaries(user_course_ids=visible)
    asked = [ids.get(each, each) for each in dict.fromkeys(user_course_ids)]
    return {
        "summaries": [found[each] for each in asked if isinstance(each, int) and each in found],
        "unknown": [each for each in asked if each not in found],
    }


@router.get(
    "/progress/",
    tags=["progress"],
    summary="List an enrollment's rows",
    response_model=Rows,
    responses=documented(404, 422),
)
async def list_progress(
    user_course_id: UserCourseId,
    caller: CallerParameter,
    status: Status = None,
    after: After = None,
    limit: Limit = PAGE,
) -> object:
    """Return a page of the rows as they are stored, one per place of a lesson; untouched lessons have none."""
    await caller.require_enrollment(user_course_id)
    page = await caller.service.get_rows(
        user_course_id=user_course_id, status=status, after=bookmark(after), limit=limit
    )
    return {"user_course_id": user_course_id, "rows": page.lessons, "next_after": bookmark_text(page.next_after)}
