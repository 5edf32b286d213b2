"""What endpoints receive: the caller's token and the services of the application."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from worker.api.authorization import (
    require_connection,
    require_course,
    require_enrollment,
    visible_enrollments,
)
from worker.api.tokens import Token
from worker.client import EventPublisher
from worker.contract.connection import Connection
from worker.service import UserCourseProgressService


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller."""

    token: Token
    service: UserCourseProgressService
    publisher: EventPublisher
    connections: Mapping[str, Connection]
    """The file's, by name."""

    async def require_enrollment(self, user_course_id: int) -> None:
        """Raise HTTPException 403 unless the caller may access this enrollment."""
        await require_enrollment(self.service, self.token, user_course_id)

    async def visible_enrollments(self, user_course_ids: Collection[int]) -> Collection[int]:
        """Return those of these enrollments that the caller may access, if they exist."""
        return await visible_enrollments(self.service, self.token, user_course_ids)

    def require_connection(self, connection: str) -> None:
        """Raise HTTPException 403 unless the caller may use this connection's names."""
        require_connection(self.token, connection)

    def require_course(self, course_id: int) -> None:
        """Raise HTTPException 403 unless the caller may access this course."""
        require_course(self.token, course_id)


async def _caller(request: Request) -> Caller:
    """Return the request's caller. Asynchronous, because FastAPI runs other dependencies in a thread."""
    state = request.app.state
    return Caller(request.state.token, state.service, state.publisher, state.connections)


CallerParameter = Annotated[Caller, Depends(_caller)]
