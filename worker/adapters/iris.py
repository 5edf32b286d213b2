"""The names that Moodle and Open edX have for what an IRI points to, so that all records of a system meet.

Moodle: `cm:5`, `course:2`, `section:9`. Open edX: usage and course keys. Anything else keeps its IRI.
"""

import re
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote


class Kind(Enum):
    """What an IRI is known to point to."""

    MODULE = "a course module of Moodle"
    BLOCK = "a block of Open edX"
    COURSE = "a course"
    SECTION = "a section of a course in Moodle"
    OTHER = "unknown"


class Canonical(NamedTuple):
    """A name, not yet cut to the length of names."""

    name: str
    kind: Kind = Kind.OTHER
    is_part: bool = False
    """The IRI points to something inside what has the name: a chapter, an input of a problem."""
    block_type: str = ""
    """Of a block, such as `html` or `vertical`."""


_MOODLE = re.compile(r"/(mod/\w+/view|course/view|course/section|section)\.php\?([^#]*)(#?)")
_MOODLE_ID = re.compile(r"(?:^|[?&])id=([0-9]+)(?![^?&])")
_MOODLE_KINDS = {"mod": ("cm", Kind.MODULE), "view": ("course", Kind.COURSE), "section": ("section", Kind.SECTION)}
_BLOCK = re.compile(
    r"(?:^|/xblock/)"
    r"((?:ccx-)?block-v1:[^/?#]+?\+type@([^+/?#]+)\+block@[^/?#]+|i4x://[^/?#]+/[^/?#]+/([^/?#]+)/[^/?#]+)([/?#].*)?$",
    re.DOTALL,
)
_PROBLEM_INPUT = re.compile(r"_[0-9]+_[0-9]+$")
_COURSE_KEY = re.compile(r"(?:^|/courses?/)((?:course|ccx)-v1:[^/?#]+)")


def canonical(iri: str) -> Canonical:
    """Return what the IRI points to, by the name that its system has for it."""
    if ".php?" in iri and (found := _in_moodle(iri)):
        return found
    if "-v1" in iri or "i4x" in iri:
        unescaped = unquote(iri).replace(" ", "+")
        if block := _BLOCK.search(unescaped):
            return _block(block)
        if course := _COURSE_KEY.search(unescaped):
            return Canonical(course[1], Kind.COURSE)
    return Canonical(iri)


def _in_moodle(iri: str) -> Canonical | None:
    page = _MOODLE.search(iri)
    number = page and _MOODLE_ID.search(page[2])
    if not page or not number:
        return None
    prefix, kind = _MOODLE_KINDS["mod" if page[1].startswith("mod/") else page[1].rpartition("/")[2]]
    is_part = kind is Kind.MODULE and (page[2] != f"id={number[1]}" or bool(page[3]))
    return Canonical(f"{prefix}:{number[1]}", kind, is_part)


def _block(match: re.Match[str]) -> Canonical:
    key, block_type, old_block_type, rest = match.groups()
    block_type = block_type or old_block_type
    name = _PROBLEM_INPUT.sub("", key) if block_type == "problem" else key
    return Canonical(name, Kind.BLOCK, is_part=name != key or bool(rest and rest != "/"), block_type=block_type)
