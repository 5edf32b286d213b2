"""Read an array as PHP's serialize() writes it, in which Moodle's column `other` is unless it is set to JSON."""

import re

_SCALAR = re.compile(rb"(N);|b:([01]);|i:(-?[0-9]{1,19});|d:([^;]{1,40});")
_TEXT = re.compile(rb's:([0-9]{1,9}):"')
_ARRAY = re.compile(rb"a:([0-9]{1,9}):\{")

_Value = str | int | float | bool | None
_Found = tuple[_Value, int]


def read_php_array(text: str) -> dict[str, _Value] | list[_Value]:
    """Return a flat array as PHP's json_encode would have it: an object, or a list if its keys are 0, 1, 2, …

    Lengths count bytes of UTF-8. Raises ValueError for anything else.
    """
    content = text.encode(errors="surrogatepass")
    head = _match(_ARRAY, content, 0)
    members: dict[str, _Value] = {}
    position = head.end()
    for _ in range(int(head[1])):
        key, position = _read(content, position)
        members[str(key)], position = _read(content, position)
    if content[position:] != b"}":
        raise ValueError("an array that does not end after its members")
    return list(members.values()) if list(members) == list(map(str, range(len(members)))) else members


def _read(content: bytes, position: int) -> _Found:
    if head := _TEXT.match(content, position):
        end = head.end() + int(head[1])
        if content[end : end + 2] != b'";':
            raise ValueError("a text of another length")
        return content[head.end() : end].decode(), end + 2
    found = _match(_SCALAR, content, position)
    _, boolean, whole, decimal = found.groups()
    value: _Value = None
    if boolean:
        value = boolean == b"1"
    elif whole:
        value = int(whole)
    elif decimal:
        value = float(decimal)
    return value, found.end()


def _match(pattern: re.Pattern[bytes], content: bytes, position: int) -> re.Match[bytes]:
    if match := pattern.match(content, position):
        return match
    raise ValueError("not PHP's, or an array in an array")
