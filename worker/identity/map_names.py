"""List the names of the map page by page, in the order of its key."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from sqlalchemy import Connection, text

from worker.contract.id_ranges import MAX_ID
from worker.errors import InputError

KINDS = ("course", "lesson", "topic", "user")
"""In the order of the key."""

_NAMES = text("""
    SELECT kind, source, key, scope, id, topic_id, ignored FROM external_id
    WHERE kind = :kind AND (source, key, scope) > (:source_after, :key_after, :scope_after)
      AND (CAST(:source AS text) IS NULL OR source = :source)
      AND (CAST(:id AS bigint) IS NULL OR id = :id)
      AND (CAST(:containing AS text) IS NULL OR position(:containing IN key) > 0)
    ORDER BY source, key, scope
    LIMIT :limit
""")


class After(msgspec.Struct, frozen=True, array_like=True):
    """The last name of a page, as `--after` has it: base64 of a JSON array, so that a shell takes any name."""

    kind: str = KINDS[0]
    source: str = ""
    key: str = ""
    scope: Annotated[int, msgspec.Meta(ge=-1, le=MAX_ID)] = -1

    def __str__(self) -> str:
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def to_after(token: str | None) -> After:
    """Return where the next page begins. Raises InputError for what no page has printed."""
    if token is None:
        return After()
    try:
        return msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=After)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InputError(f"--after {token[:50]}: give the whole word that the page before has printed.") from None


@dataclass(frozen=True, slots=True)
class StoredName:
    """One name."""

    kind: str
    source: str
    key: str
    id: int
    course_id: int | None
    """Of a topic or lesson."""
    topic_id: int | None
    """Of a lesson."""
    ignored: bool


@dataclass(frozen=True, slots=True)
class NamePage:
    """Names in the order of their key; `next_after` is None on the last page."""

    names: list[StoredName]
    next_after: After | None


def list_names(
    connection: Connection,
    kinds: Sequence[str] = KINDS,
    *,
    source: str | None = None,
    containing: str | None = None,
    number: int | None = None,
    after: After,
    limit: int,
) -> NamePage:
    """Return up to `limit` names of these kinds, of a connection, with a text in them, with a number.

    One statement a kind. With `containing` it may read all names; everything else is found by an index.
    """
    found: list[StoredName] = []
    for kind in sorted(kinds):
        if kind < after.kind or len(found) > limit:
            continue
        begin = after if kind == after.kind else After(kind)
        parameters = {
            "kind": kind,
            "source_after": begin.source,
            "key_after": begin.key,
            "scope_after": begin.scope,
            "source": source,
            "id": number,
            "containing": containing,
            "limit": limit + 1 - len(found),
        }
        found += [
            StoredName(row.kind, row.source, row.key, row.id, row.scope or None, row.topic_id, row.ignored)
            for row in connection.execute(_NAMES, parameters)
        ]
    if len(found) <= limit:
        return NamePage(found, None)
    last = found[limit - 1]
    return NamePage(found[:limit], After(last.kind, last.source, last.key, last.course_id or 0))
