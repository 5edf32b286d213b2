"""The members of an xAPI statement that matter, read without trust in their types."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from worker.adapters.iris import Canonical, Kind, canonical
from worker.adapters.outcome import Rejected
from worker.adapters.xapi_verbs import verb_of

JsonObject = dict[str, Any]

_MISSING = "A statement needs {member}"
_PLUGIN_INFO = "/extensions/info"


@dataclass(frozen=True)
class Activity:
    """An object, parent or grouping of a statement."""

    id: str
    definition: JsonObject

    @cached_property
    def canonical(self) -> Canonical:
        """Its name, and what it is by its IRI."""
        return canonical(self.id)

    @cached_property
    def type(self) -> str:
        """The IRI of its type, or the empty string."""
        return text_of(self.definition.get("type")).rstrip("/")

    @cached_property
    def kind_of_type(self) -> str:
        """The last word of its type's IRI, such as `course` or `cmi.interaction`."""
        return self.type.rpartition("/")[2]

    @property
    def is_course(self) -> bool:
        """Whether its IRI says so, or its type where the IRI says nothing: Moodle's plugin types some modules so."""
        found = self.canonical
        if found.kind is Kind.OTHER:
            return self.kind_of_type == "course"
        return found.kind is Kind.COURSE or found.block_type == "course"


@dataclass(frozen=True)
class Statement:
    """A statement with an actor, a verb with an id, and an object."""

    members: JsonObject
    actor: JsonObject
    verb: str
    """See `verb_of`."""
    object: JsonObject
    result: JsonObject
    parents: list[Activity]
    groupings: list[Activity]
    categories: list[Activity]
    other: list[Activity]
    extensions: JsonObject = field(repr=False)
    """Of the context."""

    @cached_property
    def activity(self) -> Activity:
        """The object. Raises Rejected, `missing_member`, if it has no id."""
        if iri := text_of(self.object.get("id")):
            return Activity(iri, object_of(self.object.get("definition")))
        raise Rejected("missing_member", _MISSING.format(member="an object with an id"))

    @cached_property
    def moodle_event(self) -> str | None:
        """The Moodle event that Moodle's plugin made the statement of, perhaps ''; None if another system made it."""
        info = extension(self.extensions, _PLUGIN_INFO)
        return text_of(object_of(info).get("event_name")) if info is not None else None


def read_statement(record: object) -> Statement:
    """Return the record as a statement. Raises Rejected: `not_json`, `not_an_object`, `missing_member`."""
    if isinstance(record, str | bytes):
        raise Rejected("not_json", "The record is not JSON")
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is JSON, but no object")
    actor, verb, target = (record.get(member) for member in ("actor", "verb", "object"))
    verb_id = text_of(object_of(verb).get("id"))
    for member, is_there in (
        ("an actor", isinstance(actor, dict)),
        ("a verb with an id", verb_id),
        ("an object", isinstance(target, dict)),
    ):
        if not is_there:
            raise Rejected("missing_member", _MISSING.format(member=member))
    context = object_of(record.get("context"))
    around = object_of(context.get("contextActivities"))
    return Statement(
        members=record,
        actor=object_of(actor),
        verb=verb_of(verb_id),
        object=object_of(target),
        result=object_of(record.get("result")),
        parents=_activities(around.get("parent")),
        groupings=_activities(around.get("grouping")),
        categories=_activities(around.get("category")),
        other=_activities(around.get("other")),
        extensions=object_of(context.get("extensions")),
    )


def object_of(value: object) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """Return the value if it is text, else none."""
    return value if isinstance(value, str) else ""


def extension(extensions: JsonObject, ending: str) -> object:
    """Return the extension whose IRI has this ending, which the versions of a sender have in common; or None.

    Of several it is the one with the lowest IRI, so that the order of members does not matter.
    """
    found = [iri for iri, value in extensions.items() if iri.endswith(ending) and value is not None]
    return extensions[min(found)] if found else None


def _activities(value: object) -> list[Activity]:
    """Return activities with an id; a single one may stand without the array, as before xAPI 1.0."""
    if not value:
        return []
    members = value if isinstance(value, list) else [value]
    return [
        Activity(each["id"], object_of(each.get("definition")))
        for each in members
        if isinstance(each, dict) and text_of(each.get("id"))
    ]
