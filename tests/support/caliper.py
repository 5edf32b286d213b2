"""Events of Caliper, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

from worker.adapters.caliper import translate
from worker.adapters.caliper_event import split
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
CONNECTION = Connection(name="caliper-test")
CONTEXT = "http://purl.imsglobal.org/ctx/caliper/v1p2"
HOME = "https://lms.example"
LEARNER = f"{HOME}/users/5"
COURSE = f"{HOME}/sections/3"
PAGE = f"{HOME}/pages/9"
ID = "7b7a2b1e-0000-4000-8000-68615de43879"


def entity(iri: str, of_type: str, **members: Any) -> dict[str, Any]:
    return {"id": iri, "type": of_type, **members}


def event(of_type: str = "ViewEvent", action: str = "Viewed", object_: object = None, **members: Any) -> dict[str, Any]:
    """Return an event of the learner in the course, by default the view of a page."""
    made = {
        "@context": CONTEXT,
        "id": f"urn:uuid:{ID}",
        "type": of_type,
        "actor": entity(LEARNER, "Person"),
        "action": action,
        "object": entity(PAGE, "Page") if object_ is None else object_,
        "eventTime": "2025-03-01T10:00:00.000Z",
        "group": entity(COURSE, "CourseSection"),
    }
    return made | members


def envelope(*records: object) -> dict[str, Any]:
    return {
        "sensor": f"{HOME}/sensor",
        "sendTime": "2025-03-01T10:00:01.000Z",
        "dataVersion": CONTEXT,
        "data": list(records),
    }


def membership(*roles: str, **members: Any) -> dict[str, Any]:
    return {"membership": entity(f"{HOME}/m/1", "Membership", roles=list(roles), **members)}


def event_of(record: object, **options: Any) -> Any:
    """Return the record's only event, by a connection with these options."""
    found: list[NamedEvent] = []
    for each in split(record):
        found += translate(each, CONNECTION.model_copy(update=options), ARRIVED)
    (one,) = found
    return one


def outcome(record: object, **options: Any) -> str:
    """Return the type of the record's only event, or the reason why there is none."""
    try:
        return str(event_of(record, **options).type)
    except Ignored as ignored:
        return ignored.reason
    except Rejected as rejected:
        return f"rejected: {rejected.reason}"
