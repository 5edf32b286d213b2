"""Names for events from what a record says, and an id for a record that has none."""

import json
from hashlib import sha1, sha256

from worker.adapters.outcome import Rejected
from worker.contract.value_types import is_name


def to_name(text: str) -> str:
    """Return the text as a name: one over 1,024 bytes as `sha256:` and the hash of its UTF-8.

    Unpaired surrogates and NULs become U+FFFD. The empty text is no name; the caller sees to that.
    """
    text = well_formed(text)
    return text if is_name(text) or not text else f"sha256:{_hash(text)}"


def well_formed(text: str) -> str:
    """Return the text with U+FFFD in place of unpaired surrogates and NULs."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\ufffd")


def mail_name(address: str) -> str:
    """Return the name of the learner with this mail address, with or without `mailto:`: xAPI's own hash of it."""
    address = well_formed(address).strip().lower().removeprefix("mailto:").strip()
    return f"mbox_sha1:{sha1(f'mailto:{address}'.encode(), usedforsecurity=False).hexdigest()}"


def hashed_id(members: list[object]) -> str:
    """Return an id for a record without one: the hash of its format's name and the members that a resend repeats.

    Hashed is their canonical JSON: an array with sorted keys, without spaces, in UTF-8. Raises Rejected, `not_json`.
    """
    try:
        text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        raise Rejected("not_json", "The record has no id, and cannot be told by its contents: it is too deep") from None
    return f"sha256:{_hash(well_formed(text))}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
