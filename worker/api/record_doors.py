"""The paths that senders of other formats post their records to: one, or a list; 200 once all are on the streams.

A new one is a `Door` in `DOORS`. Whatever the door, a token in the header Authorization is accepted; where a sender
cannot send that, `worker.api.door_tokens` says where else its token is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from worker.adapters.formats import FORMATS
from worker.api.dependencies import CallerParameter
from worker.api.form_records import read_form
from worker.api.problems import documented
from worker.api.received_records import Record, as_objects, read_json, take

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

    def read(self, body: bytes, _content_type: str) -> list[Record]:
        """Return the records of a body. Raises HTTPException: 400 unless it holds JSON objects, 413 for too many."""
        expected = f"The body must be {self.noun}, a JSON object, or a JSON list of them"
        document: object = read_form(body)
        if document is None:
            document = read_json(body, expected)
        return as_objects(FORMATS[self.format_name].split(document), expected)


DOORS = (
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


for _door in DOORS:
    router.add_api_route(
        _door.path,
        _endpoint(_door),
        methods=["POST"],
        name=f"post_{_door.format_name}",
        summary=f"Send {_door.noun}",
        description=f"{_door.description} What says nothing of a learner's progress is ignored; what should and cannot "
        "be used is set aside as a dead letter. Repeating the request is harmless.",
        response_class=Response,
        responses=documented() | {200: {"description": "The records have been taken"}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [
                                {"type": "array", "items": {"type": "object"}, "examples": [[_door.example]]},
                                {"type": "object", "examples": [_door.example]},
                            ]
                        }
                    }
                },
            }
        },
    )
