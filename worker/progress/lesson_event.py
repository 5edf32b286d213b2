"""Make an event of a call or request: a learner viewed or completed a lesson."""

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import ValidationError

from worker.contract.entry import Rejection
from worker.contract.event import LessonActivity, LessonCompleted, LessonEvent, LessonViewed
from worker.contract.event_time import refuse_ahead
from worker.contract.identity import is_identity
from worker.errors import InputError

SOURCE = "progress-api"
"""The `source` of these events; an event id that is not a UUID is unique within it."""

LessonAction = Literal["viewed", "completed"]


def lesson_event(
    action: LessonAction,
    activity: LessonActivity,
    occurred_at: datetime | None,
    event_id: str | None,
    *,
    now: datetime,
    by_default: datetime,
) -> LessonEvent:
    """Return the event, by default with a new id. Raises InputError for a time out of range or far in the future."""
    model = LessonViewed if action == "viewed" else LessonCompleted
    untimed = True if occurred_at is None else None
    try:
        event = model(
            id=valid_event_id(event_id), source=SOURCE, time=occurred_at or by_default, data=activity, untimed=untimed
        )
        if occurred_at is not None:
            refuse_ahead(event.time, latest_clock(now).timestamp() * 1000)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"occurred_at: {problem['msg']}") from None
    except Rejection as refused:
        raise InputError(f"occurred_at: {refused.detail}") from None
    return event


def valid_event_id(event_id: str | None) -> str:
    """Return the id, by default a new one. Raises InputError for an id that identifies no event."""
    if event_id is not None and not is_identity(event_id):
        raise InputError(f"{event_id} does not identify an event, as the nil and max UUIDs are not unique.")
    return event_id or str(uuid4())


def latest_clock(now: datetime) -> datetime:
    """Return the later of the server's and this host's clock: only a time ahead of both is refused."""
    return max(now, datetime.now(UTC))
