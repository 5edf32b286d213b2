"""Errors as RFC 9457 problems (`application/problem+json`), and the handlers that answer them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from redis import RedisError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.api import xapi_version
from worker.database.failures import Failure, classify
from worker.errors import ConflictError, InputError, LockedError, NotFoundError, ProgressError, first_line
from worker.logs import get_logger

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class FieldError(BaseModel):
    """An invalid member of a request."""

    location: str
    detail: str


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


def problem_response(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: list[FieldError] | None = None
) -> Response:
    """Return the problem as an HTTP response."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return Response(
        to_json(body, exclude_none=True), status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Bearer and Basic", "required": True, "schema": {"type": "string"}}}
_DESCRIBED: dict[int, tuple[str, dict[str, Any]]] = {
    400: ("Malformed request.", {}),
    401: ("Missing or invalid token.", _CHALLENGE),
    403: ("The token lacks the scope, course or connection or, without tokens, the request is not from this host.", {}),
    404: ("No such enrollment, course, topic, lesson, name, row or table.", {}),
    408: ("The body did not arrive in time.", {}),
    409: ("Conflict with stored data, such as another request with this `Idempotency-Key`.", {}),
    413: ("The body is too large.", {}),
    415: ("Unsupported `Content-Type` or `Content-Encoding`.", {}),
    422: ("A parameter or member is missing or invalid; `errors` has the locations, where known.", {}),
    429: ("Too many bad requests.", _RETRY_AFTER),
    501: ("HTML reports are not installed: the extra `report` is missing.", {}),
    503: ("PostgreSQL or Redis is unavailable or busy. The request can be sent again.", _RETRY_AFTER),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses for these problems and for those that every endpoint may answer."""
    return {status: described(status) for status in sorted({400, 401, 403, 408, 413, 429, 503, *statuses})}


def described(status: int) -> dict[str, Any]:
    """Return the OpenAPI response for one problem."""
    description, headers = _DESCRIBED[status]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def add_handlers(app: FastAPI) -> None:
    """Answer every expected error. Others are bugs, which `worker.api.request_log` logs and answers."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405 and (methods := _documented_methods(request)):
            return problem_response(405, f"Allowed methods: {methods}.", headers={"Allow": methods})
        return problem_response(error.status_code, _detail(request, error), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes):  # FastAPI parses only bodies declared as JSON
            return problem_response(415, "The Content-Type must be application/json.")
        errors = [
            FieldError(location=_location(each["loc"]), detail=each["msg"])
            for each in error.errors()
            if each["type"] != "none_required"  # an optional one may be null, but not in a URL
        ]
        return problem_response(422, f"{errors[0].location}: {errors[0].detail}", errors=errors)

    @app.exception_handler(ProgressError)
    async def progress_error(_: Request, error: ProgressError) -> Response:
        if isinstance(error, InputError):
            return problem_response(_input_status(error), str(error))
        return _unavailable(error, str(error))

    @app.exception_handler(SQLAlchemyError)
    async def database_error(_: Request, error: SQLAlchemyError) -> Response:
        if isinstance(error, DBAPIError) and classify(error) is Failure.DATA:
            return problem_response(422, f"PostgreSQL rejects the data: {first_line(error)}.")
        return _unavailable(error, "The database is unavailable or busy. Try again.")

    @app.exception_handler(RedisError)
    async def redis_error(_: Request, error: RedisError) -> Response:
        return _unavailable(
            error, "Redis is unavailable or full. Try again: events with an id or Idempotency-Key count once."
        )


def _location(parts: tuple[int | str, ...]) -> str:
    """Return where it is: a parameter has no parts, but the validator's kinds of it."""
    return ".".join(str(part) for part in (parts if parts[0] == "body" else parts[:2]))


def _detail(request: Request, error: HTTPException) -> str:
    path = str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))  # see `strip_prefix`
    return xapi_version.NOT_FOUND if error.status_code == 404 and xapi_version.is_of_xapi(path) else str(error.detail)


def _documented_methods(request: Request) -> str:
    """Return all methods of the path. Starlette lists those of one route, and our routes have one each."""
    template = getattr(request.scope.get("route"), "path_format", None)
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(template, ())))


def _input_status(error: InputError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 409 if isinstance(error, ConflictError) else 422


def _unavailable(error: Exception, detail: str) -> Response:
    # The text of a LockedError has the enrollment, which the log must not show.
    log.error("request_failed", detail=type(error).__name__ if isinstance(error, LockedError) else first_line(error))
    return problem_response(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})
