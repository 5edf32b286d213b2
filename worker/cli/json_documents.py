"""Find the JSON documents in lines: one a line, after the prefix of a log if any, or one spread over lines."""

import json
import re
from collections.abc import Iterable, Iterator

from worker.adapters.outcome import Rejected
from worker.cli.file_lines import MEBIBYTE
from worker.contract.parse import BYTE_ORDER_MARK
from worker.errors import InputError

MAX_BYTES = 256 * MEBIBYTE
"""Of one document, which is held in memory."""

Found = tuple[object, Rejected | None]
"""A parsed document, or bytes and why they are none."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_MORE_OF_OBJECT = b' \t"}],'
_MORE_OF_ARRAY = _MORE_OF_OBJECT + b"{"


def json_documents(lines: Iterable[bytes]) -> Iterator[Found]:
    """Yield the documents in order, and each torn line in place of one.

    A document over several lines goes on with lines that begin as only its own do: so a torn line ends where the next
    record begins. Raises InputError for one over MAX_BYTES.
    """
    held: list[bytes] = []
    size = depth = 0
    for line in map(_without_mark, lines):
        if not line.strip():
            continue
        if held and line[:1] not in (_MORE_OF_OBJECT if held[0][:1] == b"{" else _MORE_OF_ARRAY):
            yield _refused(held)
            held = []
        if not held:
            try:
                yield _parsed_line(line), None
                continue
            except ValueError:
                size = depth = 0
        held.append(line.lstrip() if not held else line)
        size += len(line)
        change = _depth(line)
        depth += change or 0
        if change is None or held[0][:1] not in b"{[" or depth < 0:
            yield _refused(held)
            held = []
        elif depth == 0:
            yield _parsed(held)
            held = []
        elif size > MAX_BYTES:
            raise InputError(f"A JSON document is longer than {MAX_BYTES // MEBIBYTE} MiB. Write one record per line")
    if held:
        yield _refused(held)


def parse(text: bytes) -> object:
    """Return the JSON. Raises ValueError. Unpaired surrogates are kept; those who make names of them replace them."""
    from pydantic_core import from_json

    try:
        return from_json(text)
    except ValueError:
        if b"\\u" not in text:
            raise
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("It is nested too deep") from None


def _parsed_line(line: bytes) -> object:
    """Return the JSON of the line, or of what begins at its first brace. Raises ValueError."""
    try:
        return parse(line)
    except ValueError:
        before, brace, after = line.partition(b"{")
        if not before.strip(b" \t[,"):
            raise
        return parse(brace + after)


def _without_mark(line: bytes) -> bytes:
    return line.removeprefix(BYTE_ORDER_MARK)


def _parsed(lines: list[bytes]) -> Found:
    try:
        return parse(b"".join(lines)), None
    except ValueError:
        return _refused(lines)


def _refused(lines: list[bytes]) -> Found:
    return b"".join(lines).strip(), Rejected("not_json", "The text is not JSON, or was cut off")


def _depth(line: bytes) -> int | None:
    """Return by how much the line opens more than it closes; None if it ends within a string, which JSON cannot."""
    bare = _STRING.sub(b"", line)
    if b'"' in bare:
        return None
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
