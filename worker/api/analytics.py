"""What an enrolment's history tells."""

from fastapi import APIRouter

from worker.api.caller import CallerParameter
from worker.api.learner_schema import Learner
from worker.api.problem import documented
from worker.api.schema import UserCourseId
from worker.services.learner import as_mapping

router = APIRouter(prefix="/analytics", tags=["analytics"])


@router.get(
    "/learner/{user_course_id:id}", summary="Analyse a learner", response_model=Learner, responses=documented(404, 422)
)
async def get_learner(user_course_id: UserCourseId, caller: CallerParameter) -> object:
    """What the enrolment did, how fast, where it is stuck, and what to do next."""
    await caller.may_touch(user_course_id)
    return as_mapping(await caller.service.analyse_learner(user_course_id=user_course_id))
