"""Errors as RFC 9457 says: `application/problem+json` with title, status and a detail that says what to do."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from redis import RedisError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.database.failures import Failure, classify
from worker.errors import ConflictError, InputError, LockedError, NotFoundError, ProgressError, first_line
from worker.logs import get_logger

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class Mistake(BaseModel):
    """One member of a request that is wrong."""

    location: str
    detail: str


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    model_config = ConfigDict(title="Problem")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Mistake] | None = None


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Mistake] | None = None
) -> Response:
    """The answer that says so."""
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors) if errors else None
    )
    return Response(
        to_json(body, exclude_none=True), status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Bearer", "required": True, "schema": {"type": "string"}}}
_DESCRIBED: dict[int, tuple[str, dict[str, Any]]] = {
    400: ("The request cannot be read.", {}),
    401: ("A valid bearer token is needed.", _CHALLENGE),
    403: ("The token lacks the scope or the course; without tokens, the caller is not of this host.", {}),
    404: ("There is no such enrollment, course, topic, lesson, row or table.", {}),
    408: ("The body did not come in time.", {}),
    409: ("It contradicts what is stored, such as another request with this `Idempotency-Key`.", {}),
    413: ("The body is too large.", {}),
    415: ("The body's `Content-Type` is none that is taken here.", {}),
    422: ("Something is missing or wrong; `errors` says where, if it is in one place.", {}),
    429: ("Too many bad requests; none is taken for a while.", _RETRY_AFTER),
    501: ("Reports as pages are not installed here: the extra `report` is missing.", {}),
    503: ("PostgreSQL or Redis is away or busy. The same request may be sent again.", _RETRY_AFTER),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems for an endpoint's OpenAPI description; any endpoint may also refuse the caller, or be unable."""
    return {status: described(status) for status in sorted({400, 401, 403, 408, 413, 429, 503, *statuses})}


def described(status: int) -> dict[str, Any]:
    """One problem for an endpoint's OpenAPI description."""
    description, headers = _DESCRIBED[status]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def add_handlers(app: FastAPI) -> None:
    """Answer every error that has a name. One that has none is a defect: the gate logs it."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405 and (methods := _documented_methods(request)):
            return problem(405, f"This path takes {methods}.", headers={"Allow": methods})
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes):  # it was not said to be JSON, and so nobody has read it
            return problem(415, "The Content-Type must be application/json.")
        mistakes = [
            Mistake(location=".".join(str(part) for part in each["loc"]), detail=each["msg"]) for each in error.errors()
        ]
        return problem(422, f"{mistakes[0].location}: {mistakes[0].detail}", errors=mistakes)

    @app.exception_handler(ProgressError)
    async def told(_: Request, error: ProgressError) -> Response:
        if isinstance(error, InputError):
            return problem(_input_status(error), str(error))
        return _unable(error, str(error))

    @app.exception_handler(SQLAlchemyError)
    async def database_failed(_: Request, error: SQLAlchemyError) -> Response:
        if isinstance(error, DBAPIError) and classify(error) is Failure.DATA:
            return problem(422, f"PostgreSQL refuses this: {first_line(error)}.")
        return _unable(error, "The database is away or busy. Try again.")

    @app.exception_handler(RedisError)
    async def stream_failed(_: Request, error: RedisError) -> Response:
        return _unable(
            error, "Redis is away or full. Try again; with an Idempotency-Key, or ids of their own, events count once."
        )


def _documented_methods(request: Request) -> str:
    """All of this path's methods; Starlette names those of one route, and each of ours has one."""
    template = getattr(request.scope.get("route"), "path_format", None)
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(template, ())))


def _input_status(error: InputError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 409 if isinstance(error, ConflictError) else 422


def _unable(error: Exception, detail: str) -> Response:
    # A lock's sentence names the enrollment, which is no business of the log.
    log.error("request_failed", detail=type(error).__name__ if isinstance(error, LockedError) else first_line(error))
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})
