"""The members of a Caliper event that matter, read without trust in their types."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from worker.adapters.envelopes import unwrap
from worker.adapters.names import hashed_id, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi_statement import JsonObject, object_of, text_of
from worker.contract.identity import is_identity

_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)


class Entity(NamedTuple):
    """An actor, object or other thing of an event; of one that is only its IRI, the type is the empty string."""

    id: str
    type: str
    members: JsonObject


@dataclass(frozen=True, slots=True)
class CaliperEvent:
    """An event with an action, and an actor and an object with ids."""

    members: JsonObject
    type: str
    action: str
    actor: Entity
    object: Entity


def split(document: object) -> Iterator[object]:
    """Return the events and entities of a body or file: of an envelope, a list of either, or one."""
    return unwrap(document, inside_envelope)


def inside_envelope(document: object) -> list[object] | None:
    """Return what is in the envelope; None if the document is none."""
    if not isinstance(document, dict) or "type" in document or "@type" in document:
        return None
    data = document.get("data")
    return data if isinstance(data, list) else None


def read_event(record: object) -> CaliperEvent:
    """Return the record as an event.

    Raises Ignored, `entity`, and Rejected: `not_json`, `not_an_object`, `unsupported_version`, `missing_member`.
    """
    if isinstance(record, str | bytes):
        raise Rejected("not_json", "The record is not JSON")
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is JSON, but no object")
    event_type = text_of(record.get("type"))
    if not event_type and record.get("@type"):
        raise Rejected("unsupported_version", "The event is of Caliper 1.0. Let its sensor send 1.1 or 1.2")
    if not event_type:
        raise missing("a type")
    if not event_type.endswith("Event"):
        raise Ignored("entity")
    action = text_of(record.get("action"))
    actor, target = entity_of(record.get("actor")), entity_of(record.get("object"))
    for member, is_there in (
        ("an action", action),
        ("an actor with an id", actor.id),
        ("an object with an id", target.id),
    ):
        if not is_there:
            raise missing(member)
    return CaliperEvent(record, event_type, action, actor, target)


def entity_of(value: object) -> Entity:
    """Return an entity, which may be only its IRI; without an id if the value is none."""
    members = {"id": value} if isinstance(value, str) else object_of(value)
    return Entity(text_of(members.get("id")), text_of(members.get("type")), members)


def missing(member: str) -> Rejected:
    """Return the verdict on an event without this member."""
    return Rejected("missing_member", f"A Caliper event needs {member}")


def event_id(event: CaliperEvent, format_name: str) -> str:
    """Return the event's own id, a UUID without its scheme, else the hash of all its members."""
    value = text_of(event.members.get("id"))
    if match := _UUID.fullmatch(value):
        value = match[1].lower()
    return to_name(value) if value and is_identity(value) else hashed_id([format_name, event.members])
