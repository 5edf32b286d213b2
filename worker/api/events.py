"""`POST /events`: a batch of CloudEvents, and what became of each."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from worker.api.caller import Caller, CallerParameter
from worker.api.permission import forbidden_events
from worker.api.problem import documented
from worker.api.progress import RESPOND_ASYNC, responds_async
from worker.api.schema import EventVerdict, Prefer, Verdicts
from worker.domain.entry import Entry, Rejection, parse
from worker.domain.event import Event, partition_key
from worker.services.submit import LARGE_BYTES, Result, arriving

router = APIRouter(tags=["events"])

MEDIA_TYPE = "application/cloudevents-batch+json"
MOST_EVENTS = 1_000

Judged = Event | Rejection

_EXAMPLE = [
    {
        "specversion": "1.0",
        "id": f"0198a1b2-c3d4-7e5f-8a9b-{number:012}",
        "source": "/lms",
        "type": kind,
        "time": f"2025-07-14T10:3{number}:00Z",
        "data": data,
    }
    for number, (kind, data) in enumerate(
        [
            ("course.outlined", {"course_id": 3, "lessons": [{"topic_id": 1, "lesson_id": 1, "title": "Welcome"}]}),
            ("enrollment.created", {"user_course_id": 1, "user_id": 7, "course_id": 3}),
            ("lesson.viewed", {"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "duration_seconds": 90}),
            ("lesson.completed", {"user_course_id": 1, "topic_id": 1, "lesson_id": 1}),
        ]
    )
]
# Loose on purpose: an event that breaks the contract is rejected alone, not with the whole batch.
_BODY = {
    "required": True,
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "array",
                "maxItems": MOST_EVENTS,
                "items": {"type": "object", "description": "A CloudEvent as docs/asyncapi.json defines it."},
                "examples": [_EXAMPLE],
            }
        }
    },
}


@router.post(
    "/events",
    summary="Submit a batch of events",
    response_model=Verdicts,
    responses=documented(415, 422)
    | {
        202: {
            "description": "Those accepted are on the stream, as `Prefer: respond-async` asks",
            "model": Verdicts,
            "headers": {"Preference-Applied": {"schema": {"const": "respond-async"}, "required": True}},
        }
    },
    openapi_extra={"requestBody": _BODY},
)
async def post_events(request: Request, caller: CallerParameter, prefer: Prefer = None) -> Response:
    """Apply up to 1,000 events of any type in one transaction, each on its own merits; what became of each, in order.

    With `Prefer: respond-async` they are checked and appended to the stream.
    """
    content_type, body = request.headers.get("content-type", ""), await request.body()
    is_async = responds_async(prefer)
    now = await (run_in_threadpool(caller.publisher.clock) if is_async else caller.service.clock())
    if len(body) > LARGE_BYTES:
        documents, entries, judged = await caller.service.aside(_read, content_type, body, now)
    else:
        documents, entries, judged = _read(content_type, body, now)
    verdicts = await _refusals(caller, documents, judged)
    allowed = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.ACCEPTED]
    if is_async:
        bodies = [(partition_key(documents[number].get("data")), entries[number].body or b"") for number in allowed]
        await run_in_threadpool(caller.publisher.publish_raw, bodies)
    else:
        found = await caller.service.submit_events([entries[number] for number in allowed])
        for number, each in zip(allowed, found, strict=True):
            update = {"result": each.result, "reason": each.reason, "detail": each.detail}
            verdicts[number] = verdicts[number].model_copy(update=update)
    answer = Verdicts(events=verdicts).model_dump_json()
    headers = RESPOND_ASYNC if is_async else None
    return Response(answer, 202 if is_async else 200, headers=headers, media_type="application/json")


def _documents(content_type: str, body: bytes) -> list[dict[str, Any]]:
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise HTTPException(415, f"The Content-Type must be {MEDIA_TYPE}.")
    try:
        documents = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise HTTPException(422, f"The body is not JSON: {error}.") from None
    if not isinstance(documents, list) or not all(isinstance(each, dict) for each in documents):
        raise HTTPException(422, "The body must be a list of CloudEvents.")
    if len(documents) > MOST_EVENTS:
        raise HTTPException(422, f"{len(documents)} events; at most {MOST_EVENTS} at a time.")
    return documents


def _read(content_type: str, body: bytes, now: datetime) -> tuple[list[dict[str, Any]], list[Entry], list[Judged]]:
    """The events as they came, as entries, and each parsed or what is wrong with it. Raises HTTPException."""
    documents = _documents(content_type, body)
    # A number beyond any float was read as infinite: as a string it is JSON, and no member takes it.
    entries = arriving((to_json(document, inf_nan_mode="strings") for document in documents), now)
    return documents, entries, [_judged(entry) for entry in entries]


def _judged(entry: Entry) -> Judged:
    try:
        return parse(entry)
    except Rejection as refused:
        return refused


async def _refusals(caller: Caller, documents: list[dict[str, Any]], judged: list[Judged]) -> list[EventVerdict]:
    """A verdict on each: rejected for what it is or touches, accepted so far."""
    events = [None if isinstance(each, Rejection) else each for each in judged]
    reasons = [(str(each.reason), each.detail) if isinstance(each, Rejection) else None for each in judged]
    for number, why in enumerate(await forbidden_events(caller.service, caller.token, events)):
        if why is not None:
            reasons[number] = ("forbidden", why)
    verdicts = []
    for document, reason in zip(documents, reasons, strict=True):
        given = document.get("id")
        verdict = EventVerdict(id=given if isinstance(given, str) else None, result=Result.ACCEPTED)
        if reason:
            verdict = verdict.model_copy(update={"result": Result.REJECTED, "reason": reason[0], "detail": reason[1]})
        verdicts.append(verdict)
    return verdicts
