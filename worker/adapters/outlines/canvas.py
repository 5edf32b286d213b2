"""The outline of a Canvas course from the answer of its API, /api/v1/courses/:id/modules?include[]=items."""

import re
from collections.abc import Iterator
from typing import Any

from worker.adapters.canvas_names import local_id
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

_QUERY = "/api/v1/courses/:id/modules?include[]=items&per_page=100"
_ALIASES = {
    "Page": "wiki_page",
    "Assignment": "assignment",
    "Quiz": "quiz",
    "Discussion": "discussion_topic",
    "File": "attachment",
}
"""What events name an item by that was not opened from its module. One tool may be many items, so it is none."""
_COURSE_IN_URL = re.compile(r"/courses/([0-9~]+)/")
_COURSE = re.compile(r"(?:course:)?([0-9~]+)")

_Members = dict[str, Any]


def read_canvas(document: OutlineDocument) -> list[NamedOutline]:
    """Return the course's outline: the items of its modules as `module_item:<id>`, each with `module:<id>` as topic.

    An item's aliases are what it shows: `assignment:<id>`, `quiz:<id>` and so on; the first item that shows it has the
    alias. Left out is what no learner can complete: headers, and what is not published. The URLs in the answer name
    the course; the document may.
    """
    modules = _modules(document)
    taken: set[str] = set()
    found = []
    for module_place, topic, module in modules:
        for place, item in _items(document, module_place, module):
            if item.get("type") == "SubHeader" or item.get("published") is False:
                continue
            aliases = {*_aliases(item)} - taken
            taken |= aliases
            lesson = f"module_item:{_id(document, place, item)}"
            found.append(FoundLesson(place, lesson, topic, _title(item), tuple(sorted(aliases))))
    return [named_outline(document.name, _course(document, modules), found)]


def _modules(document: OutlineDocument) -> list[tuple[str, str, _Members]]:
    """Return place, name and members of each module that is published."""
    answer = document.json
    if isinstance(answer, dict) and "errors" in answer:
        raise InputError(f"{document.name} is an error that Canvas answered, not modules: {answer['errors']!r:.300}.")
    if not isinstance(answer, list):
        raise InputError(f"{document.name}: not a list of modules, which Canvas answers as JSON to {_QUERY}.")
    found = []
    for number, module in enumerate(answer, 1):
        place = f"module number {number}"
        if not isinstance(module, dict):
            raise InputError(f"{document.name}, {place}: not an object with id and items.")
        if module.get("published") is not False:
            found.append((place, f"module:{_id(document, place, module)}", module))
    return found


def _items(document: OutlineDocument, place: str, module: _Members) -> Iterator[tuple[str, _Members]]:
    items = module.get("items")
    if not isinstance(items, list):
        raise InputError(
            f"{document.name}, {place}: no list of items. Ask {_QUERY}; if Canvas leaves out the items of a large "
            "module, put in what its items_url answers."
        )
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise InputError(f"{document.name}, {place}, item number {number}: not an object with id and type.")
        yield f"{place}, item number {number}", item


def _aliases(item: _Members) -> Iterator[str]:
    """Yield the name of what the item shows; of a page, whose id Canvas may leave out, else by its slug."""
    kind = item.get("type")
    content = local_id(item.get("content_id"), 0)
    if kind == "Page" and not content and isinstance(slug := item.get("page_url"), str):
        content = slug
    if isinstance(kind, str) and kind in _ALIASES and content:
        yield f"{_ALIASES[kind]}:{content}"


def _course(document: OutlineDocument, modules: list[tuple[str, str, _Members]]) -> str:
    """Return the course that the URLs name, else the document. Raises InputError if it is not one and the same."""
    urls = [
        text
        for _, _, module in modules
        for members in (module, *module["items"])
        for member in ("items_url", "html_url")
        if isinstance(text := members.get(member), str)
    ]
    named = {local_id(found[1], 0) for url in urls if (found := _COURSE_IN_URL.search(url))}
    if document.course:
        given = _COURSE.fullmatch(document.course)
        named.add(local_id(given[1], 0) if given else None)
    if not named:
        raise InputError(f"{document.name}: nothing says of which course it is. Add --course with Canvas's id of it.")
    if len(named) > 1 or None in named:
        raise InputError(f"{document.name}: the modules are not all of one course, or --course is not its id.")
    return f"course:{named.pop()}"


def _id(document: OutlineDocument, place: str, members: _Members) -> str:
    if found := local_id(members.get("id"), 0):
        return found
    raise InputError(f"{document.name}, {place}: id is not a number of Canvas's.")


def _title(item: _Members) -> str | None:
    title = item.get("title")
    return title.strip() if isinstance(title, str) else None
