"""What tells events of one source apart, and what orders those of one time."""

import re
from uuid import NAMESPACE_URL, uuid5

NO_IDENTITIES = frozenset({"0" * 32, "f" * 32})
"""The nil and the max UUID, without hyphens: what a program sends that has no id."""
MAX_SEQUENCE = 2**63 - 1

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def identity(source: str, id: str) -> str:  # noqa: A002 - the member's name
    """An event's identity as a UUID string: `id` where it is a UUID, else a UUIDv5 of source and id.

    The UUIDv5 is that of `id` in the namespace UUIDv5(NAMESPACE_URL, source) (RFC 9562, 5.5).
    """
    if _UUID.fullmatch(id):
        return id.lower()
    return str(uuid5(uuid5(NAMESPACE_URL, source), id))


def is_identity(id: str) -> bool:  # noqa: A002 - the member's name
    """Whether the id tells events apart: the nil and the max UUID do not."""
    return id[:1] not in "0fF" or id.replace("-", "").lower() not in NO_IDENTITIES


def sequence_key(sequence: int | str | None) -> str:
    """A string whose bytes order sequences: none before all, numbers by their value."""
    if sequence is None:
        return ""
    if isinstance(sequence, str) and not (
        sequence.isascii() and sequence.isdecimal() and int(sequence) <= MAX_SEQUENCE
    ):
        return sequence
    return f"{int(sequence):020}"
