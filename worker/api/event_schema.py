"""The answer to a batch of events."""

from pydantic import BaseModel, Field

from worker.progress.submit import Result


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
