"""Read a record that is sent as a form: the plugin local_webhooks of Moodle sends one, whatever its Content-Type says.

PHP writes `other[completionstate]=1` for a member of a member.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

_FORM = re.compile(rb"[A-Za-z]\w*(?:%5B|%5D|[\w\[\]])*=")
_KEY = re.compile(r"(\w+)(?:\[(\w+)\])?")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


def read_form(body: bytes) -> dict[str, Any] | None:
    """Return the record of a form, None if the body is none. Numbers become numbers, and empty texts None, as in JSON.

    Two levels are read; PHP leaves empty arrays out. Raises nothing.
    """
    if not _FORM.match(body):
        return None
    record: dict[str, Any] = {}
    for name, text in parse_qsl(body.decode(errors="replace"), keep_blank_values=True):
        if not (key := _KEY.fullmatch(name)):
            continue
        value = int(text) if _NUMBER.fullmatch(text) else text or None
        if key[2] is None:
            record[key[1]] = value
        elif isinstance(inner := record.setdefault(key[1], {}), dict):
            inner[key[2]] = value
    return record
