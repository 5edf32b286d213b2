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

from worker.errors import ConflictError, InputError, NotFoundError, ProgressError, first_line
from worker.storage.database import Failure, classify
from worker.telemetry import get_logger

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


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems for an endpoint's OpenAPI description; any endpoint may also refuse the caller, or be unable."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({400, 401, 403, 413, 429, 503, *statuses})
    }


def add_handlers(app: FastAPI) -> None:
    """Answer every error that has a name. One that has none is a defect: the gate logs it."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
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
        return _unable(error, "Redis is away or full. Try again; the same event counts once.")


def _input_status(error: InputError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 409 if isinstance(error, ConflictError) else 422


def _unable(error: Exception, detail: str) -> Response:
    log.error("request_failed", detail=first_line(error))
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})
