"""Translate Canvas's events in Caliper's form: by the rules of Caliper, with the names of Canvas's own form."""

from datetime import datetime

from worker.adapters.caliper import time_of
from worker.adapters.caliper_event import CaliperEvent, event_id, read_event
from worker.adapters.caliper_learner import require_learner, roles_of
from worker.adapters.caliper_lesson import assignable_of, course_of
from worker.adapters.caliper_meaning import meaning_of
from worker.adapters.canvas_names import from_urn, is_lesson, lesson_name, local_id, shard_of
from worker.adapters.canvas_outcomes import (
    completed,
    enrolled,
    no_course,
    no_learner,
    no_lesson,
    require_enrolled_student,
    viewed,
)
from worker.adapters.outcome import Ignored
from worker.adapters.xapi_statement import JsonObject, object_of, text_of
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent, NamedLessonViewed

_EXTENSION = "com.instructure.canvas"
_ENROLLED = frozenset({"Created", "Modified", "Updated"})


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of one that Canvas sent as Caliper; see `worker.adapters.translation.Translate`."""
    event = read_event(record)
    if event.type == "Event" and event.action in _ENROLLED and from_urn(event.object.id)[0] == "enrollment":
        return [_enrolled(event, connection, arrived)]
    meaning = meaning_of(event)
    require_learner(event)
    if "TestUser" in roles_of(event):
        raise Ignored("test_user")
    learner = _name(event, "user", event.actor.id)
    if not learner:
        raise no_learner()
    lesson = _lesson(event)
    course = _name(event, "course", course_of(event, "") or "")
    id_, time = event_id(event, "canvas"), time_of(event, connection, arrived)
    if meaning is not NamedLessonViewed:
        return [completed(id_, time, learner, course, lesson, connection)]
    if not course:
        raise Ignored("not_a_lesson")  # of a user, a group or an account
    return [viewed(id_, time, learner, course, lesson, "Learner" in roles_of(event), connection)]


def _lesson(event: CaliperEvent) -> str:
    entity = assignable_of(event)
    asset = extension(entity.members)
    urn_type, urn_id = from_urn(entity.id)
    asset_type = text_of(asset.get("asset_type")) or urn_type
    if asset.get("asset_subtype") not in (None, "") or not is_lesson(asset_type):
        raise Ignored("not_a_lesson")
    url = text_of(extension(event.members).get("request_url"))
    lesson = lesson_name(asset_type, urn_id or asset.get("entity_id"), url, _own_shard(event))
    if not lesson:
        raise no_lesson()
    return lesson


def _enrolled(event: CaliperEvent, connection: Connection, arrived: datetime) -> NamedEvent:
    enrollment = extension(event.object.members)
    require_enrolled_student(enrollment)
    learner = _name(event, "user", text_of(enrollment.get("user_id")))
    course = _name(event, "course", text_of(enrollment.get("course_id")))
    if not learner:
        raise no_learner()
    if not course:
        raise no_course()
    return enrolled(event_id(event, "canvas"), time_of(event, connection, arrived), learner, course, connection)


def extension(members: JsonObject) -> JsonObject:
    """Return what Canvas adds to an entity or event."""
    return object_of(object_of(members.get("extensions")).get(_EXTENSION))


def _name(event: CaliperEvent, kind: str, urn: str) -> str | None:
    found, number = from_urn(urn)
    local = local_id(number if found == kind else None, _own_shard(event))
    return f"{kind}:{local}" if local else None


def _own_shard(event: CaliperEvent) -> int:
    """Return the shard of the account; of an event that no user caused, its course's, which is the same."""
    account = extension(event.actor.members).get("root_account_id")
    course = text_of(extension(event.object.members).get("course_id")) or course_of(event, "") or ""
    return shard_of(account) or shard_of(from_urn(course)[1])
