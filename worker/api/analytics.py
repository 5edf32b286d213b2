"""Endpoints of the analyses of learners, lessons and courses."""

from dataclasses import asdict

from fastapi import APIRouter

from worker.analytics.phrases import as_mapping
from worker.api.course_schema import Course
from worker.api.dependencies import CallerParameter
from worker.api.learner_schema import Learner
from worker.api.list_limits import shortened
from worker.api.problems import documented
from worker.api.schema import CourseId, LessonPart, UserCourseId
from worker.api.visit_schema import LessonVisits

router = APIRouter(prefix="/analytics", tags=["analytics"])


@router.get(
    "/learner/{user_course_id:id}",
    summary="Analyze a learner",
    response_model=Learner,
    response_model_exclude_unset=True,
    responses=documented(404, 422),
)
async def get_learner(user_course_id: UserCourseId, caller: CallerParameter) -> object:
    """The enrollment's activity, pace, difficulties and recommendations."""
    await caller.require_enrollment(user_course_id)
    found = await caller.service.analyze_learner(user_course_id=user_course_id)
    return await caller.service.aside(shortened, found, as_mapping)


@router.get(
    "/learner/{user_course_id:id}/topic/{topic_id:id}/lesson/{lesson_id:id}",
    summary="Get the history of a lesson",
    response_model=LessonVisits,
    responses=documented(404, 422),
)
async def get_lesson_history(
    user_course_id: UserCourseId, topic_id: LessonPart, lesson_id: LessonPart, caller: CallerParameter
) -> object:
    """The last 1,000 visits to the lesson and corrections of it, including those before it moved.

    Empty if the lesson is untouched.
    """
    await caller.require_enrollment(user_course_id)
    return await caller.service.get_lesson_history(
        user_course_id=user_course_id, topic_id=topic_id, lesson_id=lesson_id
    )


@router.get(
    "/course/{course_id:id}",
    summary="Analyze a course",
    response_model=Course,
    response_model_exclude_unset=True,
    responses=documented(404, 422),
)
async def get_course(course_id: CourseId, caller: CallerParameter) -> object:
    """Completion, time spent, blockers and dormant learners of the course."""
    caller.require_course(course_id)
    found = await caller.service.analyze_course(course_id=course_id)
    return await caller.service.aside(shortened, found, asdict)
