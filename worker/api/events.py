"""`POST /events`: a batch of CloudEvents, each with its own result, or a single one."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from worker.api.authorization import forbidden_events
from worker.api.content_encoding import NOT_ENCODED
from worker.api.dependencies import Caller, CallerParameter
from worker.api.event_bodies import BODY, ReceivedEvent, is_single, read_events
from worker.api.problems import documented
from worker.api.progress import RESPOND_ASYNC, responds_async
from worker.api.schema import Prefer
from worker.contract.entry import Reason, Rejection
from worker.contract.totals import Totals
from worker.progress.submit import LARGE_BYTES, Result, Verdict

router = APIRouter(tags=["events"])

_SINGLE_REJECTED = {
    "forbidden": 403,
    Reason.UNKNOWN_ENROLLMENT: 404,
    Reason.UNKNOWN_LESSON: 404,
    Reason.UNKNOWN_REFERENCE: 404,
    Reason.IDENTITY_CONFLICT: 409,
    Reason.ENROLLMENT_CONFLICT: 409,
    Reason.TOO_LARGE: 413,
}
"""The status for a single event that is rejected; 422 for other reasons."""
_SEND_AGAIN = {
    Reason.UNKNOWN_LESSON: "send the event again once an outline has the lesson",
    Reason.UNMAPPED: "load it with `progress-worker map load`, then send the event again",
}
"""What to do where the details of dead letters end with what becomes of those: here nothing is kept."""


class EventVerdict(BaseModel):
    """The result for one event.

    `accepted`: on the stream, will be applied. `superseded`: an enrollment or outline older than the stored one, which
    stays. `ignored`: of a learner who is not to count.
    """

    id: str | None = Field(description="The event's own `id`; null if it has none that can be read.")
    result: Result
    reason: str | None = None
    detail: str | None = None


class Verdicts(BaseModel):
    """The result for each event, in the order of the request."""

    events: list[EventVerdict]


@router.post(
    "/events",
    summary="Submit a batch of events, or one",
    dependencies=[NOT_ENCODED],
    response_model=Verdicts,
    responses=documented(404, 409, 415, 422)
    | {
        202: {
            "description": "Accepted events are on the stream, as requested by `Prefer: respond-async`",
            "model": Verdicts,
            "headers": {"Preference-Applied": {"schema": {"const": "respond-async"}, "required": True}},
        }
    },
    openapi_extra={"requestBody": BODY},
)
async def post_events(request: Request, caller: CallerParameter, prefer: Prefer = None) -> Response:
    """Apply up to 1,000 events of any type in one transaction. An invalid event does not affect the others.

    With `Prefer: respond-async` they are validated and appended to the stream instead. Results are in request order.
    A single event that is rejected is answered with a problem.
    """
    single, body = is_single(request.headers.get("content-type", "")), await request.body()
    is_async, background = responds_async(prefer), None
    now = await (run_in_threadpool(caller.publisher.clock) if is_async else caller.service.clock())
    if len(body) > LARGE_BYTES:
        received = await caller.service.aside(read_events, body, now, single=single)
    else:
        received = read_events(body, now, single=single)
    verdicts = await _judge(caller, received)
    allowed = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.ACCEPTED]
    if is_async:
        await run_in_threadpool(caller.publisher.publish_raw, [received[number].message for number in allowed])
    else:
        found = await caller.service.submit_events([received[number].entry for number in allowed])
        for number, each in zip(allowed, found, strict=True):
            update = {"result": each.result, "reason": each.reason, "detail": _detail(each)}
            verdicts[number] = verdicts[number].model_copy(update=update)
        if (totals := _totals(received, verdicts)) != Totals():
            background = BackgroundTask(caller.publisher.add_totals, totals)
    if single and verdicts[0].result is Result.REJECTED:
        status = _SINGLE_REJECTED.get(str(verdicts[0].reason), 422)
        raise HTTPException(status, f"{verdicts[0].reason}: {verdicts[0].detail}")
    answer = Verdicts(events=verdicts).model_dump_json()
    headers = RESPOND_ASYNC if is_async else None
    return Response(
        answer, 202 if is_async else 200, headers=headers, media_type="application/json", background=background
    )


def _detail(verdict: Verdict) -> str | None:
    if verdict.detail is None or verdict.reason not in _SEND_AGAIN:
        return verdict.detail
    return f"{verdict.detail.rpartition(': ')[0]}: {_SEND_AGAIN[verdict.reason]}"


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
