"""The elements of a JSON list as they were written, so that each is judged by its own bytes."""

import re

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from worker.contract.parse import BYTE_ORDER_MARK

_SPACE = b" \t\r\n"
_SIGN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{},]', re.DOTALL)
_decode = Decoder(list[Raw]).decode


def elements(body: bytes) -> list[bytes]:
    """The bytes of each element of the list. One that is no JSON is told apart by brackets and strings alone.

    Raises ValueError where the body is no list.
    """
    body = body.removeprefix(BYTE_ORDER_MARK).strip(_SPACE)
    try:
        return [bytes(each) for each in _decode(body)]
    except (DecodeError, RecursionError):
        return _told_apart(body)


def _told_apart(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    depth = start = 0
    for sign in _SIGN.finditer(body):
        at = sign.start()
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
        raise ValueError("no list that ends where the body does")
    return found
