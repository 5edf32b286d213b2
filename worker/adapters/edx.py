"""Translate records of Open edX: lines of its tracking log, tracking events, and entries of its event bus."""

import json
from datetime import datetime

from worker.adapters.edx_bus import PAYLOAD, translate_entry
from worker.adapters.edx_tracking import translate_event
from worker.adapters.outcome import Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the events of a record; see `worker.adapters.translation.Translate`."""
    if isinstance(record, str | bytes):
        record = _from_line(record)
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is JSON, but no object")
    return (translate_entry if PAYLOAD in record else translate_event)(record, connection, arrived)


def _from_line(line: str | bytes) -> object:
    """Return the JSON of a line of a log, which begins with the first brace."""
    text = line if isinstance(line, str) else line.decode(errors="replace")
    try:
        return json.loads(text[max(text.find("{"), 0) :])
    except (ValueError, RecursionError):
        raise Rejected("not_json", "The line is not JSON, or was cut off") from None
