"""Who an event of Caliper is of, and whether that is a learner. Of a mail address only a hash leaves here."""

import re

from worker.adapters.caliper_event import CaliperEvent
from worker.adapters.iris import canonical
from worker.adapters.names import mail_name, to_name
from worker.adapters.outcome import Ignored
from worker.adapters.xapi_statement import object_of

_STAFF = frozenset(
    {"Instructor", "TeachingAssistant", "Administrator", "ContentDeveloper", "Manager", "Mentor", "Officer"}
)
_ANONYMOUS = re.compile(r"https?://purl\.imsglobal\.org/(?:.*/)?Person/?")
_MAIL = re.compile(r"(?:mailto:)?[^@\s/|]+@[^@\s/|]+", re.IGNORECASE)


def learner_of(event: CaliperEvent) -> str:
    """Return the actor's name. Raises Ignored like `require_learner`."""
    require_learner(event)
    iri = canonical(event.actor.id).name.strip()
    return mail_name(iri) if _MAIL.fullmatch(iri) else to_name(iri)


def require_learner(event: CaliperEvent) -> None:
    """Raise Ignored, `not_a_person`, `anonymous` or `staff`, unless the actor may be a learner, and one by name."""
    if event.actor.type not in {"Person", ""}:
        raise Ignored("not_a_person")
    if _ANONYMOUS.fullmatch(event.actor.id):
        raise Ignored("anonymous")
    roles = roles_of(event)
    if roles & _STAFF and "Learner" not in roles:
        raise Ignored("staff")


def roles_of(event: CaliperEvent) -> frozenset[str]:
    """Return the actor's roles in the course, without what a role is in particular: `Instructor#Lecturer`."""
    roles = object_of(event.members.get("membership")).get("roles")
    given = roles if isinstance(roles, list) else [roles]
    return frozenset(role.partition("#")[0] for role in given if isinstance(role, str))
