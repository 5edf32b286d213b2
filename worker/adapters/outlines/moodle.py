"""The outline of a Moodle course from the answer of its web service function core_course_get_contents."""

import html
import re
from collections.abc import Iterator
from typing import Any

from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.id_ranges import MAX_ID
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

_NO_LESSONS = ("label", "subsection", "qbank")
"""Modules that are text on the course's page, a section within a section, and a store of questions."""
_Found = tuple[str, dict[str, Any], dict[str, Any]]
"""A module's place in the document, its section, and the module."""


def read_moodle(document: OutlineDocument) -> list[NamedOutline]:
    """Return the course's outline: its activities as `cm:<id>`, each with its section, `section:<id>`, as topic.

    Left out are labels, subsections themselves, question banks, and what is being deleted. What is hidden or restricted
    stays, as learners may have progress in it. The answer does not name the course: the document does, as `5` or
    `course:5`.
    """
    found = [
        FoundLesson(place, f"cm:{_id(document, place, module)}", _topic(section), _title(module))
        for place, section, module in _modules(document, _sections(document))
        if module.get("modname") not in _NO_LESSONS and module.get("deletioninprogress") != 1
    ]
    return [named_outline(document.name, _course(document), found)]


def _course(document: OutlineDocument) -> str:
    number = re.fullmatch(r"(?:course:)?([1-9][0-9]{0,18})", document.course or "", re.ASCII)
    if number is None:
        raise InputError(
            f"{document.name}: Moodle's answer does not say which course it is of. Add --course with Moodle's id of "
            "the course, such as --course 5."
        )
    return f"course:{number[1]}"


def _sections(document: OutlineDocument) -> list[dict[str, Any]]:
    sections = document.json
    if isinstance(sections, dict) and "exception" in sections:
        message = sections.get("message") or sections["exception"]
        raise InputError(f"{document.name} is an error that Moodle answered, not a course: {message!r:.300}.")
    if not isinstance(sections, list):
        raise InputError(
            f"{document.name}: not a list of sections, which Moodle's core_course_get_contents answers as JSON."
        )
    for number, section in enumerate(sections, 1):
        place = f"section number {number}"
        if not isinstance(section, dict):
            raise InputError(f"{document.name}, {place}: not an object with id and modules.")
        if section.get("id") != -1:  # of activities that are available, but in no section that is shown
            _id(document, place, section)
        if not isinstance(section.get("modules"), list):
            raise InputError(f"{document.name}, {place}: no list of modules. Call the function without excludemodules.")
    return sections


def _modules(document: OutlineDocument, sections: list[dict[str, Any]]) -> Iterator[_Found]:
    """Yield place, section and module in the order of the course's page: those of a subsection where it stands."""
    subsections = {
        section["itemid"]: section
        for section in sections
        if section.get("component") == "mod_subsection" and isinstance(section.get("itemid"), int)
    }
    inner = {id(section) for section in subsections.values()}
    for section in sections:
        if id(section) in inner:
            continue
        for found in _modules_in(document, section):
            yield found
            module = found[2]
            instance = module.get("instance") if module.get("modname") == "subsection" else None
            if isinstance(instance, int) and (subsection := subsections.pop(instance, None)):
                yield from _modules_in(document, subsection)
    for section in subsections.values():
        yield from _modules_in(document, section)


def _modules_in(document: OutlineDocument, section: dict[str, Any]) -> Iterator[_Found]:
    for number, module in enumerate(section["modules"], 1):
        place = f"section {section['id']}, module number {number}"
        if not isinstance(module, dict):
            raise InputError(f"{document.name}, {place}: not an object with id and name.")
        yield place, section, module


def _id(document: OutlineDocument, place: str, members: dict[str, Any]) -> int:
    number = members.get("id")
    if type(number) is not int or not 0 < number <= MAX_ID:
        raise InputError(f"{document.name}, {place}: id is not a number of Moodle's.")
    return number


def _topic(section: dict[str, Any]) -> str | None:
    return None if section["id"] == -1 else f"section:{section['id']}"


def _title(module: dict[str, Any]) -> str | None:
    """Return the name as text: Moodle answers it as HTML."""
    name = module.get("name")
    return html.unescape(name).strip() if isinstance(name, str) else None
