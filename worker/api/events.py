"""`POST /events`: a batch of CloudEvents, each with its own result."""

import time
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import from_json
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from worker.api.authorization import forbidden_events
from worker.api.dependencies import Caller, CallerParameter
from worker.api.json_elements import elements
from worker.api.problems import documented
from worker.api.progress import RESPOND_ASYNC, responds_async
from worker.api.schema import Prefer
from worker.contract.entry import Entry, Rejection
from worker.contract.event import CourseOutlined, Event, Outline, partition_key
from worker.contract.parse import BYTE_ORDER_MARK, parse_entry
from worker.contract.totals import Totals
from worker.progress.submit import LARGE_BYTES, Result, arriving

router = APIRouter(tags=["events"])

MEDIA_TYPE = "application/cloudevents-batch+json"
MAX_EVENTS = 1_000


class EventVerdict(BaseModel):
    """The result for one event.

    `accepted`: on the stream, will be applied. `superseded`: an enrollment or outline older than the stored one, which
    stays.
    """

    id: str | None = Field(description="The event's own `id`; null if it has none that can be read.")
    result: Result
    reason: str | None = None
    detail: str | None = None


class Verdicts(BaseModel):
    """The result for each event, in the order of the request."""

    events: list[EventVerdict]


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event of the batch, its id if it can be read, and the parsed event or its rejection."""

    entry: Entry
    id: str | None
    parsed: Event | Rejection
    dropped: int = 0
    """Number of invalid optional members."""

    @property
    def message(self) -> tuple[int | None, bytes]:
        """Its partition key and its bytes, as the publisher takes them."""
        key = None if isinstance(self.parsed, Rejection) else partition_key(vars(self.parsed.data))
        return key, self.entry.body or b""


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
# Permissive, because an event that breaks the contract is rejected alone, not with the whole batch.
_BODY = {
    "required": True,
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "array",
                "maxItems": MAX_EVENTS,
                "items": {"type": "object", "description": "A CloudEvent as defined in docs/asyncapi.json."},
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
            "description": "Accepted events are on the stream, as requested by `Prefer: respond-async`",
            "model": Verdicts,
            "headers": {"Preference-Applied": {"schema": {"const": "respond-async"}, "required": True}},
        }
    },
    openapi_extra={"requestBody": _BODY},
)
async def post_events(request: Request, caller: CallerParameter, prefer: Prefer = None) -> Response:
    """Apply up to 1,000 events of any type in one transaction. An invalid event does not affect the others.

    With `Prefer: respond-async` they are validated and appended to the stream instead. Results are in request order.
    """
    content_type, body = request.headers.get("content-type", ""), await request.body()
    is_async, background = responds_async(prefer), None
    now = await (run_in_threadpool(caller.publisher.clock) if is_async else caller.service.clock())
    if len(body) > LARGE_BYTES:
        received = await caller.service.aside(_read, content_type, body, now)
    else:
        received = _read(content_type, body, now)
    verdicts = await _judge(caller, received)
    allowed = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.ACCEPTED]
    if is_async:
        await run_in_threadpool(caller.publisher.publish_raw, [received[number].message for number in allowed])
    else:
        found = await caller.service.submit_events([received[number].entry for number in allowed])
        for number, each in zip(allowed, found, strict=True):
            update = {"result": each.result, "reason": each.reason, "detail": each.detail}
            verdicts[number] = verdicts[number].model_copy(update=update)
        if (totals := _totals(received, verdicts)) != Totals():
            background = BackgroundTask(caller.publisher.add_totals, totals)
    answer = Verdicts(events=verdicts).model_dump_json()
    headers = RESPOND_ASYNC if is_async else None
    return Response(
        answer, 202 if is_async else 200, headers=headers, media_type="application/json", background=background
    )


def _read(content_type: str, body: bytes, now: datetime) -> list[ReceivedEvent]:
    """Return the events of a body. Raises HTTPException for a body that is not a batch."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise HTTPException(415, f"The Content-Type must be {MEDIA_TYPE}.")
    try:
        bodies = elements(body)
    except ValueError as error:
        raise HTTPException(422, f"The body must be a JSON list of CloudEvents: {error}.") from None
    if not all(each.startswith((b"{", BYTE_ORDER_MARK + b"{")) for each in bodies):
        raise HTTPException(422, "The body must be a JSON list of CloudEvents: some of its elements are not objects.")
    if len(bodies) > MAX_EVENTS:
        raise HTTPException(422, f"{len(bodies)} events; at most {MAX_EVENTS} are accepted.")
    milliseconds = time.time() * 1000
    return [_parse(entry, milliseconds) for entry in arriving(bodies, now)]


def _parse(entry: Entry, milliseconds: float) -> ReceivedEvent:
    dropped: list[str] = []
    try:
        event = parse_entry(entry, milliseconds, dropped)
    except Rejection as rejection:
        return ReceivedEvent(entry, _readable_id(entry.body or b""), rejection)
    if isinstance(event, CourseOutlined):  # collecting a batch of lessons as garbage would block the loop
        event = event.model_copy(update={"data": Outline(course_id=event.data.course_id, lessons=())})
    return ReceivedEvent(entry, event.id, event, len(dropped))


def _readable_id(body: bytes) -> str | None:
    try:
        found = from_json(body).get("id")
    except ValueError:
        return None
    return found if isinstance(found, str) else None


async def _judge(caller: Caller, received: list[ReceivedEvent]) -> list[EventVerdict]:
    """Return a verdict on each event: rejected as invalid or forbidden, otherwise accepted so far."""
    events = [None if isinstance(each.parsed, Rejection) else each.parsed for each in received]
    verdicts = []
    for each, denial in zip(received, await forbidden_events(caller.service, caller.token, events), strict=True):
        verdict = EventVerdict(id=each.id, result=Result.ACCEPTED)
        if isinstance(each.parsed, Rejection):
            verdict = EventVerdict(
                id=each.id, result=Result.REJECTED, reason=each.parsed.reason, detail=each.parsed.detail
            )
        elif denial is not None:
            verdict = EventVerdict(id=each.id, result=Result.REJECTED, reason="forbidden", detail=denial)
        verdicts.append(verdict)
    return verdicts


def _totals(received: list[ReceivedEvent], verdicts: list[EventVerdict]) -> Totals:
    results = [each.result for each in verdicts]
    dropped = sum(each.dropped for each, result in zip(received, results, strict=True) if result is not Result.REJECTED)
    return Totals(results.count(Result.SUPERSEDED), dropped)
