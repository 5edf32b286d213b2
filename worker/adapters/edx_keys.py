"""Usage and course keys of Open edX, as its records write them: escaped, with spaces for `+`, or as ids in a page."""

import re
from typing import NamedTuple
from urllib.parse import unquote

CONTAINERS = frozenset({"course", "chapter", "sequential", "vertical"})
"""Blocks that are completed by what is in them."""

_BLOCK = re.compile(r"(ccx-)?block-v1:(.+?)\+type@([^+/?#]+)\+block@([^/?#]+)")
_OLD_BLOCK = re.compile(r"i4x://([^/?#]+)/([^/?#]+)/([^/?#]+)/([^/?#]+)")
_ID_IN_PAGE = re.compile(r"i4x-([^-]+)-([^-]+)-([^-]+)-(.+)")
_COURSE = re.compile(r"(?:(course)|ccx)-v1:(.+)")
_OLD_COURSE = re.compile(r"([^/]+)/([^/]+)/[^/]+")
_COURSEWARE = re.compile(r"/courseware/[^/?#]+/([^/?#]+)(?:[/?#]|$)")
_NOT_IN_IDS = re.compile(r"[^\w-]")


class Block(NamedTuple):
    """A block by its usage key, not yet cut to the length of names, and its type, such as `html`; '' if unknown."""

    name: str
    type: str


def unescaped(key: str) -> str:
    """Return the key as the system has it: no escapes, and `+` where a query made spaces of them."""
    key = key.strip()
    return unquote(key).replace(" ", "+") if "%" in key or " " in key else key


def read_block(key: str, default_type: str = "") -> Block:
    """Return the block of a usage key. Any other text is the name of a block of this type."""
    key = unescaped(key)
    if match := _BLOCK.fullmatch(key) or _OLD_BLOCK.fullmatch(key):
        return Block(key, match[3])
    return Block(key, default_type)


def read_video(key: str, course: str | None) -> Block | None:
    """Return the block of a video: by its usage key, the same as an id in a page, or its last part alone.

    None if only the course could tell the rest, and it is not known.
    """
    block = read_block(key)
    if block.type:
        return block
    if match := _ID_IN_PAGE.fullmatch(block.name):
        return _by_id_in_page(block.name, match, course)
    return block_in(course, "video", block.name)


def block_in(course: str | None, block_type: str, block_id: str) -> Block | None:
    """Return a course's block with this type and last part of the usage key, None for a course of another kind."""
    if course and (match := _COURSE.fullmatch(course)):
        prefix = "" if match[1] else "ccx-"
        return Block(f"{prefix}block-v1:{match[2]}+type@{block_type}+block@{block_id}", block_type)
    if course and (match := _OLD_COURSE.fullmatch(course)):
        return Block(f"i4x://{match[1]}/{match[2]}/{block_type}/{block_id}", block_type)
    return None


def block_in_url(url: str, course: str | None) -> Block | None:
    """Return the block that a page of the course shows: `…/jump_to/<key>`, `…/courseware/<chapter>/<sequential>`."""
    url = unescaped(url)
    _, found, target = url.partition("/jump_to/")
    if found and (match := _BLOCK.match(target) or _OLD_BLOCK.match(target)):
        return Block(match[0], match[3])
    if match := _COURSEWARE.search(url):
        return block_in(course, "sequential", match[1])
    return None


def course_of(block: Block) -> str | None:
    """Return the course in the usage key; one of the old form does not have the whole of it."""
    match = _BLOCK.fullmatch(block.name)
    return f"{'ccx' if match[1] else 'course'}-v1:{match[2]}" if match else None


def _by_id_in_page(text: str, match: re.Match[str], course: str | None) -> Block:
    """Return the block of `i4x-org-course-type-id`, in which `_` may stand for another character of the course's."""
    org, number, block_type, block_id = match.groups()
    if course and (parts := _OLD_COURSE.fullmatch(course)):
        before = "".join(f"{_NOT_IN_IDS.sub('_', part)}-" for part in ("i4x", *parts.groups()))
        block_type_of_it, dash, rest = text.removeprefix(before).partition("-")
        if text.startswith(before) and dash and rest:
            (org, number), block_type, block_id = parts.groups(), block_type_of_it, rest
    return Block(f"i4x://{org}/{number}/{block_type}/{block_id}", block_type)
