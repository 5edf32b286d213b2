"""The event that a single endpoint makes of a request: a learner viewed or completed a lesson."""

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import ValidationError

from worker.contract.entry import Rejection
from worker.contract.event import LessonActivity, LessonCompleted, LessonEvent, LessonViewed
from worker.contract.identity import is_identity
from worker.contract.parse import refuse_ahead
from worker.errors import InputError

SOURCE = "progress-api"
"""The `source` of the events made here; an event id that is no UUID is unique together with it."""

Deed = Literal["viewed", "completed"]


def lesson_event(
    deed: Deed,
    activity: LessonActivity,
    occurred_at: datetime | None,
    event_id: str | None,
    *,
    now: datetime,
    by_default: datetime,
) -> LessonEvent:
    """Without an id another one each time. Raises InputError for a time that is out of range or far ahead of now."""
    model = LessonViewed if deed == "viewed" else LessonCompleted
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
    """Raises InputError for one that tells no events apart."""
    if event_id is not None and not is_identity(event_id):
        raise InputError(f"{event_id} is no event's identity: the nil and the max UUID are everybody's. Send another.")
    return event_id or str(uuid4())


def latest_clock(now: datetime) -> datetime:
    """Of the server's clock and this host's the later: a time is refused when it is ahead of both."""
    return max(now, datetime.now(UTC))
