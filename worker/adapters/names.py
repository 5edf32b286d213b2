"""Names for events from what a record says, and an id for a record that has none."""

import json
import re
from hashlib import sha1, sha256
from urllib.parse import unquote

from worker.adapters.outcome import Rejected
from worker.contract.value_types import is_name

_EDX_KEY = re.compile(
    r"-v1:[^\s/?#&@:]*(?:\+(?:type|block|branch|version|ccx)@[^\s/?#&@+]+)+"
    r"|i4x://(?:[^\s/?#&@]+/){3}[^\s/?#&@]+(?:@[^\s/?#&@]+)?"
)
_MAIL = re.compile(r"[^\s@/:=?&#<>,;|()\[\]](?:@|%(?:25)*40)(?:[\w-]+\.)+[^\W\d_]{2,}")


def to_name(text: str) -> str:
    """Return the text as a name: `sha256:` and the hash of its UTF-8 if it is over 1,024 bytes or holds a mail address.

    Unpaired surrogates and NULs become U+FFFD. The empty text is no name; the caller sees to that.
    """
    text = well_formed(text)
    return text if not text or (is_name(text) and not _holds_mail(text)) else f"sha256:{_hash(text)}"


def _holds_mail(text: str) -> bool:
    """Return whether a mail address is anywhere in it, percent-encoded or not. The @ of Open edX's keys makes none."""
    if "%" in text:
        text = unquote(text)
    elif "@" not in text:
        return False
    return bool(_MAIL.search(_EDX_KEY.sub("-", text)))


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
