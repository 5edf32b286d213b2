"""The endpoints of one lesson: read, correct and mark its row."""

from fastapi import APIRouter, BackgroundTasks, Response
from starlette.concurrency import run_in_threadpool

from worker.api.dependencies import Caller, CallerParameter
from worker.api.problems import documented
from worker.api.progress_schema import Accepted, Activity, ChangedProgress, NewProgress, Progress
from worker.api.schema import IdempotencyKey, LessonPart, Prefer, UserCourseId
from worker.contract.event import LessonActivity
from worker.contract.lesson import LessonKey
from worker.contract.totals import Totals
from worker.progress.lesson_event import LessonAction, lesson_event

router = APIRouter(prefix="/progress", tags=["progress"])

LESSON = "/{user_course_id:id}/{topic_id:id}/{lesson_id:id}"
RESPOND_ASYNC = {"Preference-Applied": "respond-async"}


@router.post(
    "/",
    summary="Create a lesson's row",
    status_code=201,
    response_model=Progress,
    responses=documented(404, 409, 415, 422)
    | {200: {"description": "The row exists already and is unchanged", "model": Progress}},
)
async def create_progress(
    body: NewProgress, caller: CallerParameter, response: Response, key: IdempotencyKey = None
) -> object:
    """Create a lesson's row: not started or, given a status or time, as a correction.

    `in_progress` without a time is no correction but a view now; `completed` without one means completed now.
    """
    await caller.require_enrollment(body.user_course_id)
    row, is_new = await caller.service.create_progress(
        user_course_id=body.user_course_id,
        topic_id=body.topic_id,
        lesson_id=body.lesson_id,
        event_id=key,
        **body.changes,
    )
    response.status_code = 201 if is_new else 200
    return row


@router.get(LESSON, summary="Get a lesson's row", response_model=Progress, responses=documented(404, 422))
async def get_progress(
    user_course_id: UserCourseId, topic_id: LessonPart, lesson_id: LessonPart, caller: CallerParameter
) -> object:
    """Return the row of the lesson at this place.

    A moved lesson keeps a row per place; lists, summary and analyses combine them.
    """
    await caller.require_enrollment(user_course_id)
    return await caller.service.get_progress(user_course_id=user_course_id, topic_id=topic_id, lesson_id=lesson_id)


@router.put(LESSON, summary="Correct a lesson's row", response_model=Progress, responses=documented(404, 409, 415, 422))
async def update_progress(
    user_course_id: UserCourseId,
    topic_id: LessonPart,
    lesson_id: LessonPart,
    body: ChangedProgress,
    caller: CallerParameter,
    key: IdempotencyKey = None,
) -> object:
    """Set the given members by a correction, which overrides all events up to now.

    `completed` without a time means completed now, and `in_progress` without a known view means viewed now.
    `completed_at` without a status implies `completed`. Other statuses have no `completed_at`.
    """
    await caller.require_enrollment(user_course_id)
    return await caller.service.update_progress(
        user_course_id=user_course_id, topic_id=topic_id, lesson_id=lesson_id, event_id=key, **body.changes
    )


_MARKING = documented(404, 409, 415, 422) | {
    202: {
        "description": "Appended to the stream, as requested by `Prefer: respond-async`",
        "model": Accepted,
        "headers": {"Preference-Applied": {"schema": {"type": "string"}, "description": "respond-async"}},
    }
}


@router.post(f"{LESSON}/view", summary="Mark a lesson viewed", response_model=Progress, responses=_MARKING)
async def view_lesson(
    user_course_id: UserCourseId,
    topic_id: LessonPart,
    lesson_id: LessonPart,
    caller: CallerParameter,
    background: BackgroundTasks,
    body: Activity | None = None,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> object:
    """Record that the learner viewed the lesson. Returns the row."""
    return await _mark(caller, "viewed", (user_course_id, topic_id, lesson_id), body, key, prefer, background)


@router.post(f"{LESSON}/complete", summary="Mark a lesson completed", response_model=Progress, responses=_MARKING)
async def complete_lesson(
    user_course_id: UserCourseId,
    topic_id: LessonPart,
    lesson_id: LessonPart,
    caller: CallerParameter,
    background: BackgroundTasks,
    body: Activity | None = None,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> object:
    """Record that the learner completed the lesson, which is also a view. Returns the row."""
    return await _mark(caller, "completed", (user_course_id, topic_id, lesson_id), body, key, prefer, background)


def responds_async(prefer: str | None) -> bool:
    """Return whether respond-async is among the preferences (RFC 7240)."""
    return any(each.partition(";")[0].strip().lower() == "respond-async" for each in (prefer or "").split(","))


async def _mark(
    caller: Caller,
    deed: LessonAction,
    lesson: LessonKey,
    body: Activity | None,
    key: str | None,
    prefer: str | None,
    background: BackgroundTasks,
) -> object:
    await caller.require_enrollment(lesson[0])
    members: dict[str, object] = dict(zip(("user_course_id", "topic_id", "lesson_id"), lesson, strict=True))
    if body:
        members |= {"section_id": body.section_id, "duration_seconds": body.duration_seconds}
    dropped: list[str] = []
    activity = LessonActivity.model_validate(members, context={"dropped": dropped})
    if dropped:
        background.add_task(caller.publisher.add_totals, Totals(dropped_members=len(dropped)))
    occurred_at = body.occurred_at if body else None
    if not responds_async(prefer):
        return await caller.service.mark_lesson(deed, activity, occurred_at, key)
    now = await run_in_threadpool(caller.publisher.clock)
    event = lesson_event(deed, activity, occurred_at, key, now=now, by_default=now)
    await run_in_threadpool(caller.publisher.publish, event)
    accepted = Accepted(event_id=event.id).model_dump_json()
    return Response(accepted, 202, headers=RESPOND_ASYNC, media_type="application/json")
