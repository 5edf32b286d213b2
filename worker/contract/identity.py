"""The identity of an event, and the order of events with equal time."""

import re
from uuid import NAMESPACE_URL, uuid5

NO_IDENTITIES = frozenset({"0" * 32, "f" * 32})
"""The nil and the max UUID, without hyphens, which programs send in place of an id."""
MAX_SEQUENCE = 2**63 - 1

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def identity(source: str, id: str) -> str:  # noqa: A002 - the member's name
    """Return an event's identity as a UUID string: `id` if it is a UUID, else a UUIDv5 of source and id.

    The UUIDv5 is of `id` in the namespace UUIDv5(NAMESPACE_URL, source) (RFC 9562, 5.5).
    """
    if _UUID.fullmatch(id):
        return id.lower()
    return str(uuid5(uuid5(NAMESPACE_URL, source), id))


def is_identity(id: str) -> bool:  # noqa: A002 - the member's name
    """Return whether the id can identify an event, which the nil and the max UUID cannot."""
    return id[:1] not in "0fF" or id.replace("-", "").lower() not in NO_IDENTITIES


def sequence_key(sequence: int | str | None) -> str:
    """Return a string that sorts bytewise: no sequence first, numbers by value."""
    if sequence is None:
        return ""
    if isinstance(sequence, str) and not (
        sequence.isascii() and sequence.isdecimal() and int(sequence) <= MAX_SEQUENCE
    ):
        return sequence
    return f"{int(sequence):020}"
