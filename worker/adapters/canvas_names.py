"""The names of users, courses and lessons of Canvas, by the ids that its events, URLs and API have for them.

A global id is 10^13 times the shard plus the local id. On the account's own shard the name has the local id, which is
what the API and the URLs show; elsewhere `shard~local`, as Canvas itself writes it.
"""

import re
from urllib.parse import unquote

_SHARD = 10**13
_ID = re.compile(r"(?:([0-9]{1,9})~)?([0-9]{1,19})", re.ASCII)
_URN = re.compile(r"urn:instructure:canvas:(.+?):([0-9~]+)(?::.*)?", re.DOTALL)
_MODULE_ITEM = re.compile(r"[?&]module_item_id=([^&#]+)")

_PREFIXES = {
    "wiki_page": "wiki_page",
    "wikiPage": "wiki_page",
    "assignment": "assignment",
    "quiz": "quiz",
    "quizzes:quiz": "quiz",
    "discussion_topic": "discussion_topic",
    "attachment": "attachment",
    "content_tag": "module_item",
    "context_external_tool": "context_external_tool",
    "lti/tool_proxy": "lti/tool_proxy",
}
"""What the name of a lesson begins with, by the type of asset. A content tag is an item of a module."""


def shard_of(value: object) -> int:
    """Return the shard of a global id; 0 of a local one and of what is none."""
    match = _ID.fullmatch(_text(value))
    return int(match[1] or 0) or int(match[2]) // _SHARD if match else 0


def local_id(value: object, own_shard: int) -> str | None:
    """Return the id as names have it; None if the value is no id."""
    match = _ID.fullmatch(_text(value))
    local = int(match[2]) % (10**19 if match[1] else _SHARD) if match else 0
    if not local:
        return None
    shard = shard_of(value)
    return str(local) if shard in {0, own_shard} else f"{shard}~{local}"


def from_urn(value: str) -> tuple[str, str]:
    """Return type and id of the URN that Canvas gives an entity in Caliper; of one within another, the outer one's."""
    match = _URN.fullmatch(value)
    return (match[1], match[2]) if match else ("", "")


def is_lesson(asset_type: str) -> bool:
    """Return whether assets of this type are lessons."""
    return asset_type in _PREFIXES


def lesson_name(asset_type: str, asset_id: object, url: str, own_shard: int) -> str | None:
    """Return the name of the module item that the URL was opened by, else of the asset; None if it has no id."""
    opened_by = _MODULE_ITEM.search(url)
    if opened_by and (item := local_id(unquote(opened_by[1]), own_shard)):
        return f"module_item:{item}"
    local = local_id(asset_id, own_shard)
    return f"{_PREFIXES[asset_type]}:{local}" if local else None


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**19 else ""
    return value.strip() if isinstance(value, str) else ""
