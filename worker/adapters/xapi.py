"""A stand-in until the adapter is here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedEvent


def split(document: Any) -> Iterable[object]:
    """Return the statements."""
    for each in document if isinstance(document, list) else [document]:
        yield each["statement"] if isinstance(each, dict) and isinstance(each.get("statement"), dict) else each


def translate(record: Any, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event."""
    try:
        verb = record["verb"]["id"].rpartition("/")[2]
        name, lesson = record["actor"]["account"]["name"], record["object"]["id"]
    except (KeyError, TypeError):
        raise Rejected("missing_member", "no actor, verb or object") from None
    if verb == "answered":
        raise Ignored("verb")
    return [
        NAMED_EVENT.validate_python(
            {
                "id": record.get("id", f"sha256:{name}/{lesson}/{verb}"),
                "source": connection.name,
                "type": "lesson.completed" if verb == "completed" else "lesson.viewed",
                "time": record.get("timestamp") or arrived,
                "data": {
                    "learner": f"user:{name}",
                    "lesson": lesson,
                    "course": record.get("context", {}).get("contextActivities", {}).get("parent", [{}])[0].get("id"),
                },
            }
        )
    ]
