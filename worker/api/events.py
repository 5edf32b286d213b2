"""`POST /events`: a batch of CloudEvents, and what became of each."""

import time
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from worker.api.authorization import forbidden_events
from worker.api.dependencies import Caller, CallerParameter
from worker.api.json_elements import elements
from worker.api.problems import documented
from worker.api.progress import RESPOND_ASYNC, responds_async
from worker.api.schema import EventVerdict, Prefer, Verdicts
from worker.contract.entry import Entry, Rejection
from worker.contract.event import CourseOutlined, Event, Outline, partition_key
from worker.contract.parse import BYTE_ORDER_MARK, parse_entry
from worker.contract.totals import Totals
from worker.progress.submit import LARGE_BYTES, Result, arriving

router = APIRouter(tags=["events"])

MEDIA_TYPE = "application/cloudevents-batch+json"
MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Given:
    """An event as it came: its id if it can be read, and parsed or what is wrong with it."""

    entry: Entry
    id: str | None
    judged: Event | Rejection
    dropped: int = 0
    """Optional members that were not valid."""

    @property
    def addressed(self) -> tuple[int | None, bytes]:
        """The key of its partition, and its bytes."""
        key = None if isinstance(self.judged, Rejection) else partition_key(vars(self.judged.data))
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
    is_async, background = responds_async(prefer), None
    now = await (run_in_threadpool(caller.publisher.clock) if is_async else caller.service.clock())
    if len(body) > LARGE_BYTES:
        given = await caller.service.aside(_read, content_type, body, now)
    else:
        given = _read(content_type, body, now)
    verdicts = await _refusals(caller, given)
    allowed = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.ACCEPTED]
    if is_async:
        await run_in_threadpool(caller.publisher.publish_raw, [given[number].addressed for number in allowed])
    else:
        found = await caller.service.submit_events([given[number].entry for number in allowed])
        for number, each in zip(allowed, found, strict=True):
            update = {"result": each.result, "reason": each.reason, "detail": each.detail}
            verdicts[number] = verdicts[number].model_copy(update=update)
        if (totals := _totals(given, verdicts)) != Totals():
            background = BackgroundTask(caller.publisher.add_totals, totals)
    answer = Verdicts(events=verdicts).model_dump_json()
    headers = RESPOND_ASYNC if is_async else None
    return Response(
        answer, 202 if is_async else 200, headers=headers, media_type="application/json", background=background
    )


def _read(content_type: str, body: bytes, now: datetime) -> list[Given]:
    """The events, each by the bytes in which it came. Raises HTTPException."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise HTTPException(415, f"The Content-Type must be {MEDIA_TYPE}.")
    try:
        bodies = elements(body)
    except ValueError as error:
        raise HTTPException(422, f"The body must be a JSON list of CloudEvents: {error}.") from None
    if not all(each.startswith((b"{", BYTE_ORDER_MARK + b"{")) for each in bodies):
        raise HTTPException(422, "The body must be a JSON list of CloudEvents: not all that it has are objects.")
    if len(bodies) > MOST_EVENTS:
        raise HTTPException(422, f"{len(bodies)} events; at most {MOST_EVENTS} at a time.")
    milliseconds = time.time() * 1000
    return [_given(entry, milliseconds) for entry in arriving(bodies, now)]


def _given(entry: Entry, milliseconds: float) -> Given:
    dropped: list[str] = []
    try:
        event = parse_entry(entry, milliseconds, dropped)
    except Rejection as refused:
        return Given(entry, _readable_id(entry.body or b""), refused)
    if isinstance(event, CourseOutlined):  # all of a batch's lessons would hold up everybody while Python collects
        event = event.model_copy(update={"data": Outline(course_id=event.data.course_id, lessons=())})
    return Given(entry, event.id, event, len(dropped))


def _readable_id(body: bytes) -> str | None:
    try:
        found = from_json(body).get("id")
    except ValueError:
        return None
    return found if isinstance(found, str) else None


async def _refusals(caller: Caller, given: list[Given]) -> list[EventVerdict]:
    """A verdict on each: rejected for what it is or touches, accepted so far."""
    events = [None if isinstance(each.judged, Rejection) else each.judged for each in given]
    verdicts = []
    for each, why in zip(given, await forbidden_events(caller.service, caller.token, events), strict=True):
        verdict = EventVerdict(id=each.id, result=Result.ACCEPTED)
        if isinstance(each.judged, Rejection):
            verdict = EventVerdict(
                id=each.id, result=Result.REJECTED, reason=each.judged.reason, detail=each.judged.detail
            )
        elif why is not None:
            verdict = EventVerdict(id=each.id, result=Result.REJECTED, reason="forbidden", detail=why)
        verdicts.append(verdict)
    return verdicts


def _totals(given: list[Given], verdicts: list[EventVerdict]) -> Totals:
    done = [each.result for each in verdicts]
    dropped = sum(each.dropped for each, result in zip(given, done, strict=True) if result is not Result.REJECTED)
    return Totals(done.count(Result.SUPERSEDED), dropped)
