"""Live Events of Canvas, in both of its forms, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

from tests.support.caliper import entity
from worker.adapters.canvas import split, translate
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
CONNECTION = Connection(name="canvas-test")
SHARD = 21070000000000000
URL = "https://canvas.example/courses/565/pages/welcome"
ITEM_URL = f"{URL}?module_item_id=4635203"
UUID = "cf6e0f3b-3511-4254-86c5-6936ff33f267"


def wide(local: int) -> str:
    """Return the global id of a local one on the account's own shard."""
    return str(SHARD + local)


def live(name: str, body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return an event in Canvas's own form, caused by user 4 in course 565."""
    known = {
        "root_account_id": wide(1),
        "user_id": wide(4),
        "user_login": "ann@example.org",
        "context_type": "Course",
        "context_id": wide(565),
        "context_role": "StudentEnrollment",
        "request_id": "1dd9dc6f-2fb0-4c19-a6c5-7ee1bf3ed295",
        "client_ip": "192.0.2.1",
        "event_name": name,
        "event_time": "2025-03-01T10:00:00.000Z",
        "url": URL,
    }
    return {"metadata": known | metadata, "body": body}


def asset(asset_type: str = "wiki_page", asset_id: object = wide(144), **members: Any) -> dict[str, Any]:
    made = {"asset_type": asset_type, "asset_id": asset_id, "asset_subtype": None, "role": "StudentEnrollment"}
    return made | members


def enrollment(**members: Any) -> dict[str, Any]:
    made = {
        "user_id": wide(20064),
        "user_name": "Ann",
        "course_id": wide(565),
        "type": "StudentEnrollment",
        "workflow_state": "active",
    }
    return made | members


def urn(kind: str, local: int | str) -> str:
    return f"urn:instructure:canvas:{kind}:{wide(local) if isinstance(local, int) else local}"


def ours(**members: Any) -> dict[str, Any]:
    """Return extensions with Canvas's own."""
    return {"extensions": {"com.instructure.canvas": members}}


def member_of(course: int, *roles: str) -> dict[str, Any]:
    organization = entity(urn("course", course), "CourseOffering")
    return entity(f"{urn('course', course)}:user:1", "Membership", organization=organization, roles=list(roles))


def as_caliper(of_type: str, action: str, target: dict[str, Any], *roles: str, **members: Any) -> dict[str, Any]:
    """Return the same in Caliper's form."""
    made = {
        "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "id": f"urn:uuid:{UUID}",
        "type": of_type,
        "actor": entity(urn("user", 4), "Person", **ours(root_account_id=wide(1), user_login="ann@example.org")),
        "action": action,
        "object": target,
        "eventTime": "2025-03-01T10:00:00.000Z",
        "group": entity(urn("course", 565), "CourseOffering"),
        "membership": member_of(565, *roles),
        **ours(request_url=URL, client_ip="192.0.2.1"),
    }
    return made | members


def shown(kind: str, local: int = 144, of_type: str = "Entity", **members: Any) -> dict[str, Any]:
    """Return an asset as Caliper has it."""
    asset_type = {"wikiPage": "wiki_page"}.get(kind, kind)
    return entity(urn(kind, local), of_type, **ours(asset_type=asset_type, entity_id=wide(local), **members))


def events_of(document: object, **options: Any) -> list[NamedEvent]:
    connection = CONNECTION.model_copy(update=options)
    return [event for each in split(document) for event in translate(each, connection, ARRIVED)]


def event_of(document: object, **options: Any) -> Any:
    (event,) = events_of(document, **options)
    return event


def outcome(document: object) -> str:
    """Return the type of the document's only event, or the reason why there is none."""
    try:
        return str(event_of(document).type)
    except Ignored as ignored:
        return ignored.reason
    except Rejected as rejected:
        return f"rejected: {rejected.reason}"
