"""The paths that senders of other formats post their records to: one, or a list; 200 once all are on the streams.

A new one is a `Door` in `DOORS`. Whatever the door, a token in the header Authorization is accepted; where a sender
cannot send that, `worker.api.door_tokens` says where else its token is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from worker.adapters.formats import FORMATS
from worker.api.content_encoding import NOT_ENCODED
from worker.api.dependencies import CallerParameter
from worker.api.form_records import read_form
from worker.api.problems import documented
from worker.api.received_records import Record, as_objects, connection_of, read_json, take, within_limit
from worker.api.signed_payloads import opened

router = APIRouter(tags=["records"])


@dataclass(frozen=True, slots=True)
class Door:
    """A path, and what is sent to it."""

    path: str
    format_name: str
    """One of `FORMATS`, whose `split` finds the records of a body."""
    noun: str
    """What a record is, with its article."""
    description: str
    example: Record

    def read(self, body: bytes, _content_type: str) -> list[Any]:
        """Return the records of a body. Raises HTTPException: 400 unless it holds JSON objects, 413 for too many.

        What is in an envelope may be anything: one that is broken does not hinder the others.
        """
        expected = f"The body must be {self.noun}, a JSON object, or a JSON list of them"
        document: object = read_form(body)
        if document is None:
            document = read_json(body, expected)
        outer = as_objects(document if isinstance(document, list) else [document], expected)
        return within_limit(list(FORMATS[self.format_name].split(outer)))


CANVAS = Door(
    "/canvas",
    "canvas",
    "a Live Event of Canvas",
    "The body is a Live Event in Canvas's form or as Caliper, signed if the connection has `canvas_jwks`, or what a "
    "queue makes of several.",
    {
        "metadata": {
            "root_account_id": "21070000000000001",
            "user_id": "21070000000000004",
            "context_type": "Course",
            "context_id": "21070000000000002",
            "context_role": "StudentEnrollment",
            "request_id": "0198a1b2-c3d4-7e5f-8a9b-000000000007",
            "event_name": "asset_accessed",
            "event_time": "2025-07-14T10:30:00.000Z",
            "url": "https://canvas.example/courses/2/pages/welcome?module_item_id=7",
        },
        "body": {
            "asset_type": "wiki_page",
            "asset_id": "21070000000000009",
            "asset_subtype": None,
            "role": "StudentEnrollment",
        },
    },
)

DOORS = (
    CANVAS,
    Door(
        "/caliper",
        "caliper",
        "an envelope or event of Caliper",
        "The body is an envelope of Caliper 1.1 or 1.2, an event, or a list of either.",
        {
            "@context": "http://purl.imsglobal.org/ctx/caliper/v1p2",
            "id": "urn:uuid:0198a1b2-c3d4-7e5f-8a9b-000000000007",
            "type": "ViewEvent",
            "actor": {"id": "https://lms.example/users/4", "type": "Person"},
            "action": "Viewed",
            "object": {"id": "https://lms.example/pages/7", "type": "Page"},
            "group": {"id": "https://lms.example/courses/2", "type": "CourseOffering"},
            "eventTime": "2025-07-14T10:30:00.000Z",
        },
    ),
    Door(
        "/moodle",
        "moodle",
        "an event of Moodle",
        "The body is an event as Moodle's observers get it, or a list of them: from the plugin local_webhooks, whose "
        "token is in the event, or from an observer of your own.",
        {
            "eventname": "\\mod_page\\event\\course_module_viewed",
            "contextlevel": 70,
            "contextinstanceid": 7,
            "userid": 4,
            "courseid": 2,
            "timecreated": 1752489000,
        },
    ),
    Door(
        "/frappe",
        "frappe",
        "a document of Frappe",
        "The body is a document `LMS Course Progress` or `LMS Enrollment`, as a webhook of Frappe sends it, or a list.",
        {
            "doctype": "LMS Course Progress",
            "name": "a1b2c3d4e5",
            "member": "ann@example.org",
            "course": "a-guide",
            "chapter": "chapter-1",
            "lesson": "lesson-3",
            "status": "Complete",
            "modified": "2025-07-14T10:30:00Z",
        },
    ),
)


def _endpoint(door: Door) -> Callable[..., object]:
    async def post(request: Request, caller: CallerParameter) -> Response:
        return await take(request, caller, door.format_name, door.read, lambda *_: Response())

    return post


async def _post_canvas(request: Request, caller: CallerParameter) -> Response:
    authorization = request.headers.get("authorization", "")
    connection = connection_of(caller.token, authorization, caller.connections, CANVAS.format_name)
    body = await run_in_threadpool(opened, await request.body(), connection)
    return await take(request, caller, CANVAS.format_name, lambda *_: CANVAS.read(body, ""), lambda *_: Response())


async def _post_canvas_by_path(
    request: Request,
    caller: CallerParameter,
    token: Annotated[str, Path(description="An API token: Canvas cannot send the header Authorization.")],
) -> Response:
    del token  # `worker.api.middleware` has checked it
    return await _post_canvas(request, caller)


def _add(path: str, endpoint: Callable[..., object], door: Door, name: str) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        name=name,
        summary=f"Send {door.noun}",
        description=f"{door.description} What says nothing of a learner's progress is ignored; what should and cannot "
        "be used is set aside as a dead letter. Repeating the request is harmless.",
        dependencies=[NOT_ENCODED],
        response_class=Response,
        responses=documented(415) | {200: {"description": "The records have been taken"}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [
                                {"type": "array", "items": {"type": "object"}, "examples": [[door.example]]},
                                {"type": "object", "examples": [door.example]},
                            ]
                        }
                    }
                },
            }
        },
    )


for _door in DOORS:
    _add(_door.path, _post_canvas if _door is CANVAS else _endpoint(_door), _door, name=f"post_{_door.format_name}")
_add(f"{CANVAS.path}/{{token:path}}", _post_canvas_by_path, CANVAS, name="post_canvas_by_path")
