"""The outline of an Open edX course from the answer of its blocks API, /api/courses/v2/blocks/ or v1."""

import re
from collections.abc import Iterator
from typing import Any

from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.named_event import NamedOutline
from worker.contract.value_types import is_name
from worker.errors import InputError

_QUERY = "depth=all&all_blocks=true&requested_fields=children,visible_to_staff_only"
_KEY = re.compile(
    r"(?:(ccx)-)?block-v1:([^+]+\+[^+]+\+[^+]+(?:\+ccx@[^+]+)?)(?:\+(?:branch|version)@[^+]+)*\+type@course\+.+"
)
_OLD_KEY = re.compile(r"i4x://([^/]+)/([^/]+)/course/([^/@]+)(?:@.*)?")
_CONTAINERS = frozenset(
    {
        *("course", "chapter", "sequential", "vertical", "unit", "split_test", "conditional", "randomize", "wrapper"),
        *("library_content", "itembank", "problemset", "videosequence"),
    }
)
"""They are completed by what is in them, so one that is empty is no lesson."""
_NO_LESSONS = frozenset({"discussion"})
"""No learner completes them."""
_WHOLE = frozenset({"problem-builder", "step-builder"})
"""They are completed as a whole, whatever they are made of."""


def read_edx(document: OutlineDocument) -> list[NamedOutline]:
    """Return the course's outline, depth first: lessons named by usage key, the chapter around them as topic.

    A lesson is a block that a learner completes, or by `edx_level` of the connection a vertical or sequential. What
    only staff may see is left out, if the answer says so.
    """
    root, blocks = _blocks(document)
    found = [
        FoundLesson(f"block {key!r:.200}", key, chapter, _text(block, "display_name"))
        for key, chapter, block in _walk(document, root, blocks)
        if _is_lesson(block, document.connection.edx_level)
    ]
    return [named_outline(document.name, _course(document, root), found)]


def _blocks(document: OutlineDocument) -> tuple[str, dict[str, Any]]:
    answer = document.json
    if isinstance(answer, dict) and (problem := answer.get("developer_message") or answer.get("detail")):
        raise InputError(f"{document.name} is an error that Open edX answered, not a course: {problem!r:.300}.")
    match answer:
        case {"root": str(root), "blocks": dict(blocks)}:
            pass
        case _:
            raise InputError(
                f"{document.name}: no root and blocks. Ask /api/courses/v2/blocks/ with course_id=…&{_QUERY} and "
                "without return_type."
            )
    if len(blocks) > 1 and not any(isinstance(block, dict) and block.get("children") for block in blocks.values()):
        raise InputError(f"{document.name}: no block has children. Ask with {_QUERY}.")
    return root, blocks


def _course(document: OutlineDocument, root: str) -> str:
    """Return the course key of the course's usage key."""
    if is_name(root):
        if found := _KEY.fullmatch(root):
            return f"{found[1] or 'course'}-v1:{found[2]}"
        if found := _OLD_KEY.fullmatch(root):
            return "/".join(found.groups())
    raise InputError(
        f"{document.name}: the root {root!r:.200} is not a course. Ask /api/courses/v2/blocks/ with course_id, "
        "not with a block."
    )


def _walk(
    document: OutlineDocument, root: str, blocks: dict[str, Any]
) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Yield key, chapter and block, depth first, each block where it comes first and none within a lesson."""
    left: list[tuple[str, str | None]] = [(root, None)]
    level, seen = document.connection.edx_level, set[str]()
    while left:
        key, chapter = left.pop()
        if key in seen:
            continue
        seen.add(key)
        block = blocks.get(key)
        if not isinstance(block, dict):
            raise InputError(f"{document.name}: block {key!r:.200} is missing. Ask with {_QUERY}.")
        if block.get("visible_to_staff_only") is True:
            continue
        yield key, chapter, block
        if _is_lesson(block, level):
            continue
        chapter = key if _text(block, "type") == "chapter" else chapter
        left += [(child, chapter) for child in reversed(_children(document, key, block))]


def _children(document: OutlineDocument, key: str, block: dict[str, Any]) -> list[str]:
    children = block.get("children") or []
    if isinstance(children, list) and all(isinstance(child, str) for child in children):
        return children
    raise InputError(f"{document.name}, block {key!r:.200}: children is not a list of usage keys.")


def _is_lesson(block: dict[str, Any], level: str) -> bool:
    kind = _text(block, "type")
    if level != "block":
        return kind == level
    return kind in _WHOLE or not (block.get("children") or kind in _CONTAINERS or kind in _NO_LESSONS)


def _text(block: dict[str, Any], member: str) -> str | None:
    value = block.get(member)
    return value.strip() if isinstance(value, str) else None
