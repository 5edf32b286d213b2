"""Which lesson, and which course, a statement is about."""

from typing import NamedTuple

from worker.adapters.iris import Canonical, Kind, canonical
from worker.adapters.outcome import Ignored
from worker.adapters.xapi_statement import Activity, Statement, extension, object_of, text_of
from worker.contract.connection import Connection

PACKAGES = ("urn:articulate:",)
"""Beginnings of ids that an authoring tool gives its packages, which it always calls courses."""
PLATFORMS = frozenset({"lms", "system"})
"""Types of a whole system; one logs in to it, which is a matter of the verb."""

_CMI5 = "https://w3id.org/xapi/cmi5/context/categories/cmi5"
_NOT_LESSONS = frozenset({"section", "block", "site", "badge"})
_INSIDE_LESSONS = frozenset({"cmi.interaction", "interaction", "question", "objective"})
_NO_PARENTS = _NOT_LESSONS | PLATFORMS | {"attempt"}
_EDX_CONTAINERS = frozenset({"course", "chapter", "sequential", "vertical"})


class Lesson(NamedTuple):
    """A lesson by its name, and whether the statement is about a part of it only."""

    name: str
    is_part: bool = False


def lesson_of(statement: Statement, connection: Connection) -> Lesson | None:
    """Return the lesson; None if the statement is about a course.

    Raises Ignored: `other_level`, `not_a_lesson`, `inside_lesson`.
    """
    activity = statement.activity
    if lesson := _by_sender(statement, connection):
        return lesson
    if activity.canonical.kind is Kind.MODULE:
        return Lesson(activity.canonical.name, activity.canonical.is_part)
    if activity.canonical.kind is Kind.BLOCK:
        return _block(activity.canonical, connection)
    if activity.is_course:
        return None
    if activity.canonical.kind is Kind.SECTION or activity.kind_of_type in _NOT_LESSONS:
        raise Ignored("not_a_lesson")
    if activity.kind_of_type in _INSIDE_LESSONS or _is_h5p_subcontent(activity):
        raise Ignored("inside_lesson")
    return _around(statement) or Lesson(activity.canonical.name)


def course_of(statement: Statement, lesson: str) -> str | None:
    """Return the course around the lesson, if the statement tells it."""
    for each in statement.parents + statement.groupings:
        if each.is_course and each.canonical.name != lesson:
            return each.canonical.name
    area = text_of(object_of(extension(statement.extensions, "/courseArea")).get("id"))
    return canonical(area).name if area else None


def _by_sender(statement: Statement, connection: Connection) -> Lesson | None:
    """Return the lesson by the rules of cmi5, or of packages that call themselves courses.

    cmi5: an AU's own id changes with every launch; the publisher's is the first grouping, a course only if all are.
    """
    activity = statement.activity
    if any(each.id == _CMI5 for each in statement.categories):
        around = sorted(statement.groupings, key=lambda each: each.is_course)
        return Lesson(around[0].canonical.name) if around else None
    is_package = activity.id.startswith(PACKAGES)
    if activity.canonical.kind is not Kind.OTHER or not (is_package or connection.packages == "lesson"):
        return None
    if activity.is_course:
        return Lesson(activity.id)
    if connection.packages == "course" and activity.kind_of_type in _INSIDE_LESSONS:
        return None
    for parent in statement.parents:
        is_same_tool = parent.id.startswith(PACKAGES)
        if is_same_tool or (connection.packages == "lesson" and parent.canonical.kind is Kind.OTHER):
            return Lesson(parent.id, is_part=parent.id != activity.id)
    return None


def _block(block: Canonical, connection: Connection) -> Lesson:
    level = connection.edx_level
    if block.block_type in _EDX_CONTAINERS if level == "block" else block.block_type != level:
        raise Ignored("other_level")
    return Lesson(block.name, block.is_part)


def _is_h5p_subcontent(activity: Activity) -> bool:
    if "subContentId=" in activity.id:
        return True
    return bool(extension(object_of(activity.definition.get("extensions")), "/h5p-subContentId"))


def _around(statement: Statement) -> Lesson | None:
    """Return the lesson that the object is a part of, by its parents, or of Moodle by all activities around."""
    for parent in statement.parents:
        is_section = parent.canonical.kind is Kind.SECTION or parent.kind_of_type in _NO_PARENTS
        if parent.type and not parent.is_course and not is_section:
            name = parent.canonical.name
            return Lesson(name, is_part=name != statement.activity.canonical.name)
    if statement.moodle_event is not None:
        for each in statement.parents + statement.groupings + statement.other:
            if each.canonical.kind is Kind.MODULE:
                return Lesson(each.canonical.name, is_part=True)
    return None
