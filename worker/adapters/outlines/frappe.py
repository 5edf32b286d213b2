"""The outline of a course of Frappe LMS: from its documents, or the answer of `lms.lms.utils.get_course_outline`."""

from collections.abc import Iterator
from typing import Any

from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

COURSE, CHAPTER, LESSON = "LMS Course", "Course Chapter", "Course Lesson"

_Members = dict[str, Any]
_Documents = dict[tuple[str, str], _Members]
"""By doctype and name."""


def read_frappe(document: OutlineDocument) -> list[NamedOutline]:
    """Return the outlines of the courses in the document: their lessons, each with its chapter as topic.

    The documents are a list of courses, chapters and lessons (these for their titles alone), each as Frappe's REST API
    answers it, with or without `{"data": …}` around. The answer of get_course_outline, `{"message": …}`, does not name
    the course: the document does.
    """
    content = document.json
    if isinstance(content, dict) and "exc_type" in content:
        raise InputError(f"{document.name} is an error that Frappe answered: {content['exc_type']!r:.300}.")
    if isinstance(content, dict) and isinstance(content.get("message"), list):
        return [_answered(document, content["message"])]
    found: _Documents = {}
    for number, each in enumerate(content if isinstance(content, list) else [content], 1):
        inner = each.get("data", each) if isinstance(each, dict) else each
        if not isinstance(inner, dict) or not isinstance(inner.get("doctype"), str):
            raise InputError(
                f"{document.name}, document {number}: not an object with doctype, as Frappe's REST API has."
            )
        found[inner["doctype"], _name(document, f"document {number}", inner)] = inner
    courses = [each for (doctype, _), each in found.items() if doctype == COURSE]
    if not courses:
        raise InputError(f"{document.name} has no document of doctype {COURSE}.")
    return [named_outline(document.name, each["name"], _lessons(document, each, found)) for each in courses]


def _answered(document: OutlineDocument, chapters: list[Any]) -> NamedOutline:
    if not document.course:
        raise InputError(
            f"{document.name}: Frappe's answer does not say which course it is of. Add --course with the name of the "
            "course, such as --course a-guide-to-frappe."
        )
    found = []
    for number, chapter in enumerate(chapters, 1):
        place = f"chapter number {number}"
        for each in _list(document, place, _object(document, place, chapter), "lessons"):
            lesson = _object(document, f"{place}, a lesson", each)
            name, topic = _name(document, f"{place}, a lesson", lesson), _name(document, place, chapter)
            found.append(FoundLesson(f"{place}, lesson {name}", name, topic, _title(lesson)))
    return named_outline(document.name, document.course, found)


def _lessons(document: OutlineDocument, course: _Members, found: _Documents) -> Iterator[FoundLesson]:
    place = f"course {course.get('name')}"
    for chapter_name in _referred(document, place, course, "chapters", "chapter"):
        chapter = found.get((CHAPTER, chapter_name))
        if chapter is None:
            raise InputError(
                f"{document.name}, {place}: the document of its chapter {chapter_name} is missing. Add it."
            )
        place_of_chapter = f"chapter {chapter_name}"
        for name in _referred(document, place_of_chapter, chapter, "lessons", "lesson"):
            title = _title(found.get((LESSON, name), {}))
            yield FoundLesson(f"{place_of_chapter}, lesson {name}", name, chapter_name, title)


def _referred(document: OutlineDocument, place: str, parent: _Members, table: str, member: str) -> list[str]:
    """Return what the rows of a table refer to, in order of `idx`."""
    rows = [_object(document, f"{place}, {table}", each) for each in _list(document, place, parent, table)]
    rows.sort(key=lambda row: row["idx"] if type(row.get("idx")) is int else 0)
    return [_name(document, f"{place}, {table}", row, member) for row in rows]


def _list(document: OutlineDocument, place: str, members: _Members, name: str) -> list[Any]:
    value = members.get(name)
    if not isinstance(value, list):
        raise InputError(
            f"{document.name}, {place}: no list of {name}. Export the document by its name, not in a list."
        )
    return value


def _object(document: OutlineDocument, place: str, value: object) -> _Members:
    if not isinstance(value, dict):
        raise InputError(f"{document.name}, {place}: not an object.")
    return value


def _name(document: OutlineDocument, place: str, members: _Members, member: str = "name") -> str:
    value = members.get(member)
    if not isinstance(value, str) or not value:
        raise InputError(f"{document.name}, {place}: no {member}.")
    return value


def _title(members: _Members) -> str | None:
    title = members.get("title")
    return title.strip() if isinstance(title, str) else None
