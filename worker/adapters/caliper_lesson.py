"""Which lesson, and which course, an event of Caliper is about."""

from worker.adapters.caliper_event import CaliperEvent, Entity, entity_of
from worker.adapters.caliper_meaning import COURSES
from worker.adapters.iris import Kind, canonical
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi_lesson import Lesson
from worker.adapters.xapi_statement import object_of
from worker.contract.connection import Connection

_INSIDE_LESSONS = frozenset({"AssessmentItem", "QuestionnaireItem"})
_NOT_LESSONS = COURSES | {
    *("Agent", "Group", "Organization", "Person", "SoftwareApplication", "Membership", "Session", "LtiSession"),
    *("Forum", "Thread", "Message", "Comment", "Annotation", "BookmarkAnnotation", "HighlightAnnotation"),
    *("SharedAnnotation", "TagAnnotation", "Query", "SearchResponse", "Rating", "Response", "Result", "Score"),
    *("LearningObjective", "SurveyInvitation", "AggregateMeasure"),
}
_EDX_CONTAINERS = frozenset({"course", "chapter", "sequential", "vertical"})


def assignable_of(event: CaliperEvent) -> Entity:
    """Return what the event is about: the target of a launch, of an attempt what was attempted, else the object.

    Raises Rejected, `no_lesson`, for an attempt that does not say at what.
    """
    entity = event.object
    if event.type == "ToolLaunchEvent" and (target := entity_of(event.members.get("target"))).id:
        entity = target
    if entity.type == "Attempt":
        entity = entity_of(entity.members.get("assignable"))
        if not entity.id:
            raise Rejected("no_lesson", "The attempt does not say what it is an attempt at: it has no assignable")
    return entity


def lesson_of(event: CaliperEvent, connection: Connection) -> Lesson:
    """Return the lesson.

    Raises Ignored: `inside_lesson`, `not_a_lesson`, `course_level`, `other_level`, and Rejected, `no_lesson`.
    """
    entity = assignable_of(event)
    if entity.type in _INSIDE_LESSONS:
        raise Ignored("inside_lesson")
    found = canonical(entity.id)
    if entity.type in _NOT_LESSONS or found.kind is Kind.SECTION:
        raise Ignored("not_a_lesson")
    if found.kind is Kind.COURSE:
        raise Ignored("course_level")
    if found.kind is Kind.BLOCK:
        level = connection.edx_level
        if found.block_type in _EDX_CONTAINERS if level == "block" else found.block_type != level:
            raise Ignored("other_level")
    return Lesson(found.name, found.is_part)


def course_of(event: CaliperEvent, lesson: str) -> str | None:
    """Return the course around the lesson: by group, membership, or what the object is part of, the first that tells.

    Groups of people are followed up to their course. Open edX tells in the object's extensions.
    """
    membership, extensions = (
        object_of(of.get(member))
        for of, member in ((event.members, "membership"), (event.object.members, "extensions"))
    )
    around = (
        _above(event.members.get("group"), "subOrganizationOf"),
        _above(membership.get("organization"), "subOrganizationOf"),
        _above(event.object.members.get("isPartOf"), "isPartOf"),
        _above(object_of(event.object.members.get("assignable")).get("isPartOf"), "isPartOf"),
        _above(extensions.get("isPartOf"), "isPartOf"),
    )
    return next((course for course in around if course and course != lesson), None)


def _above(value: object, member: str) -> str | None:
    """Return the nearest course: this entity, or one above it by this member. An untyped group is taken for one."""
    while value:
        entity = entity_of(value)
        found = canonical(entity.id)
        is_untyped_group = not entity.type and member == "subOrganizationOf"
        if entity.id and (entity.type in COURSES or found.kind is Kind.COURSE or is_untyped_group):
            return found.name
        value = entity.members.get(member)
    return None
