"""Who calls, and what an endpoint works with for them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from worker.api.authorization import require_course, require_enrollment
from worker.api.tokens import Token
from worker.client import EventPublisher
from worker.service import UserCourseProgressService


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whom the gate let in."""

    token: Token
    service: UserCourseProgressService
    publisher: EventPublisher

    async def may_touch(self, user_course_id: int) -> None:
        """Return when this enrollment is the caller's business; see `worker.api.authorization.require_enrollment`."""
        await require_enrollment(self.service, self.token, user_course_id)

    def may_touch_course(self, course_id: int) -> None:
        """Return when this course is the caller's business; see `worker.api.authorization.require_course`."""
        require_course(self.token, course_id)


async def _caller(request: Request) -> Caller:
    """Asynchronous, or FastAPI would send it to a thread."""
    state = request.app.state
    return Caller(request.state.token, state.service, state.publisher)


CallerParameter = Annotated[Caller, Depends(_caller)]
