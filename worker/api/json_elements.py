"""Split a JSON list into the original bytes of its elements, so that each is validated on its own."""

import re

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from worker.contract.parse import BYTE_ORDER_MARK

_SPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{},]', re.DOTALL)
_decode = Decoder(list[Raw]).decode


def elements(body: bytes) -> list[bytes]:
    """Return the bytes of each element. When one is invalid JSON, split by brackets and strings alone.

    Raises ValueError when the body is not a list.
    """
    body = body.removeprefix(BYTE_ORDER_MARK).strip(_SPACE)
    try:
        return [bytes(each) for each in _decode(body)]
    except (DecodeError, RecursionError):
        return _split(body)


def _split(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(body):
        at = token.start()
        if body[at] in b"[{":
            depth += 1
            start = start or at + 1
        elif body[at] in b"]}":
            depth -= 1
        if (depth == 0 and at == len(body) - 1) or (depth == 1 and body[at] == ord(",")):
            found.append(body[start:at].strip(_SPACE))
            start = at + 1
        elif depth == 0:
            break
    if (body[:1], body[-1:]) != (b"[", b"]") or start != len(body):
        raise ValueError("not a list that ends where the body ends")
    return found
