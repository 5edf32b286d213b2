"""The endpoints of an enrollment: its summary, one topic, all lessons."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from worker.api.dependencies import CallerParameter
from worker.api.problems import documented
from worker.api.schema import LessonPart, UserCourseId
from worker.api.summary_schema import Lessons, Summary, Topic
from worker.contract.progress_status import ProgressStatus
from worker.summary.lessons import PAGE, Bookmark

router = APIRouter(prefix="/progress/course/{user_course_id:id}", tags=["enrollment"])

MAX_LESSONS = 1_000

After = Annotated[
    Annotated[str, Field(pattern="^[0-9]{1,10}-[0-9]{1,10}-[0-9]{1,10}$")] | SkipJsonSchema[None],
    Query(description="The previous page's `next_after`: its last topic and lesson, and the outline's version."),
]
Status = Annotated[ProgressStatus | SkipJsonSchema[None], Query(description="Only lessons with this status.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LESSONS, description="Maximum number of lessons in the page.")]


@router.get("/summary", summary="Get the summary", response_model=Summary, responses=documented(404, 422))
async def get_summary(user_course_id: UserCourseId, caller: CallerParameter) -> object:
    """Return how far the enrollment is, and its next lesson."""
    await caller.require_enrollment(user_course_id)
    return await caller.service.get_user_course_progress_summary(user_course_id=user_course_id)


@router.get(
    "/topic/{topic_id:id}", summary="Get a topic with its lessons", response_model=Topic, responses=documented(404, 422)
)
async def get_topic(user_course_id: UserCourseId, topic_id: LessonPart, caller: CallerParameter) -> object:
    """Return a topic's totals and its lessons in outline order. Lessons without a row are not started."""
    await caller.require_enrollment(user_course_id)
    return await caller.service.get_topic_progress(user_course_id=user_course_id, topic_id=topic_id)


@router.get("", summary="List all lessons", response_model=Lessons, responses=documented(404, 409, 422))
async def get_lessons(
    user_course_id: UserCourseId,
    caller: CallerParameter,
    status: Status = None,
    after: After = None,
    limit: Limit = PAGE,
) -> object:
    """Return a page of the course's lessons in outline order. Lessons without a row are not started."""
    await caller.require_enrollment(user_course_id)
    page = await caller.service.get_all_progress(
        user_course_id=user_course_id, status=status, after=bookmark(after), limit=limit
    )
    next_after = bookmark_text(page.next_after)
    return {"user_course_id": user_course_id, "lessons": page.lessons, "next_after": next_after}


def bookmark_text(bookmark: Bookmark | None) -> str | None:
    """Return the bookmark as it stands in answers and queries."""
    return "-".join(map(str, bookmark)) if bookmark else None


def bookmark(after: str | None) -> Bookmark | None:
    """Return the bookmark that a query names, if any."""
    if after is None:
        return None
    topic_id, lesson_id, version = map(int, after.split("-"))
    return topic_id, lesson_id, version
