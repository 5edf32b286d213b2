"""xAPI's resources for senders: `POST` and `PUT /xapi/statements`, which append to the streams, and `GET /xapi/about`.

Not a Learning Record Store: statements become named events, and nothing can be read back.
"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema

from worker.api.content_encoding import NOT_ENCODED
from worker.api.dependencies import CallerParameter
from worker.api.problems import documented
from worker.api.received_records import take
from worker.api.xapi_statements import FORMAT, ids_of, read_one, read_statements
from worker.api.xapi_version import VERSIONS

router = APIRouter(prefix="/xapi", tags=["xapi"])

_EXAMPLE = {
    "id": "0198a1b2-c3d4-7e5f-8a9b-000000000007",
    "actor": {"account": {"homePage": "https://lms.example", "name": "4"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "https://lms.example/lessons/7"},
    "context": {
        "contextActivities": {
            "parent": [
                {
                    "id": "https://lms.example/courses/2",
                    "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
                }
            ]
        }
    },
    "timestamp": "2025-07-14T10:30:00Z",
}
StatementId = Annotated[
    str | SkipJsonSchema[None],
    Query(alias="statementId", description="The id of a statement that has none itself."),
]
_ONE = {"type": "object", "description": "An xAPI statement.", "examples": [_EXAMPLE]}
_LIST = {"type": "array", "items": {"type": "object"}, "examples": [[_EXAMPLE]]}


def _body(schema: object) -> dict[str, object]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class About(BaseModel):
    """The versions of xAPI whose statements are accepted."""

    version: list[str]


@router.get("/about", summary="Get the versions of xAPI", response_model=About, responses=documented())
async def get_about(caller: CallerParameter) -> object:
    """Return the versions. A client can test its token by this request; the scope does not matter."""
    del caller
    return About(version=list(VERSIONS))


@router.post(
    "/statements",
    summary="Send statements",
    dependencies=[NOT_ENCODED],
    response_model=list[str],
    responses=documented(415) | {200: {"description": "The ids of the statements, in order"}},
    openapi_extra=_body({"anyOf": [_LIST, _ONE]}),
)
async def post_statements(request: Request, caller: CallerParameter) -> object:
    """Append what the statements mean to the stream: lessons viewed, completed or reopened, and enrollments.

    The body is one statement or a list, as JSON or as `multipart/mixed`, whose first part is the JSON; attachments are
    dropped. Statements that say nothing of a learner's progress are ignored; those that should and cannot be used are
    set aside as dead letters. Repeating the request is harmless.

    The connection is the token's; else the user name of Basic, if it is a connection in the file; else the only
    connection in the file with `format = "xapi"`; else `xapi`.
    """
    return await take(request, caller, FORMAT, read_statements, ids_of)


@router.put(
    "/statements",
    summary="Send a statement",
    dependencies=[NOT_ENCODED],
    status_code=204,
    response_class=Response,
    responses=documented(415) | {204: {"description": "The statement has been taken"}},
    openapi_extra=_body(_ONE),
)
async def put_statement(
    request: Request,
    caller: CallerParameter,
    statement_id: StatementId = None,
) -> None:
    """Append what the statement means to the stream; like `POST`, for one statement. Repeating it is harmless."""
    read = partial(read_one, statement_id=statement_id)
    await take(request, caller, FORMAT, read, ids_of)
