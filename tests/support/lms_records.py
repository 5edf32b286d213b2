"""Records of Moodle and Frappe, and what becomes of records of any format."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.adapters.formats import FORMATS
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
ZONES = {"moodle": "Europe/London", "frappe": "Asia/Kolkata"}
COMPLETION = "\\core\\event\\course_module_completion_updated"
ENROLLED = "\\core\\event\\user_enrolment_created"
_DATA = Path(__file__).parents[1] / "data" / "lms"


def shipped(format_name: str) -> list[dict[str, Any]]:
    """The records of tests/data/lms with their outcomes."""
    return [json.loads(line) for line in (_DATA / f"{format_name}.jsonl").read_text("utf-8").splitlines()]


def connection_of(format_name: str, **options: Any) -> Connection:
    """The connection with which their outcomes were computed."""
    return Connection(name=f"{format_name}-test", timezone=ZONES[format_name], **options)


def row(name: str = "mod_page\\event\\course_module_viewed", **members: Any) -> dict[str, Any]:
    """A row of `logstore_standard_log` as a database exports it."""
    return {
        "id": "9001",
        "eventname": name if name.startswith("\\") else f"\\{name}",
        "objectid": "12",
        "edulevel": "2",
        "contextid": "310",
        "contextlevel": "70",
        "contextinstanceid": "42",
        "userid": "3",
        "courseid": "5",
        "relateduserid": None,
        "anonymous": "0",
        "other": "N;",
        "timecreated": "1740823200",
        "origin": "web",
        "ip": "192.0.2.1",
        "realuserid": None,
    } | members


def completion(state: object = 1, **members: Any) -> dict[str, Any]:
    """A row of a completion of user 3."""
    other = json.dumps({"relateduserid": 3, "overrideby": None, "completionstate": state})
    return row(COMPLETION, **({"objectid": "77", "relateduserid": "3", "other": other} | members))


def reported(description: str, **cells: Any) -> dict[str, Any]:
    """A row of the report's CSV."""
    return {
        "Time": "4/10/22, 15:37",
        "User full name": "Ann Lee",
        "Affected user": "-",
        "Event context": "Page: Fractions",
        "Component": "Page",
        "Event name": "Course module viewed",
        "Description": description,
        "Origin": "web",
        "IP address": "192.0.2.1",
    } | cells


def progress(**members: Any) -> dict[str, Any]:
    """A document of Frappe's `LMS Course Progress`."""
    return {
        "doctype": "LMS Course Progress",
        "name": "a1b2c3d4e5",
        "owner": "ann@example.org",
        "creation": "2026-03-01 10:00:00.123456",
        "modified": "2026-03-01 10:00:00.123456",
        "member": "ann@example.org",
        "member_name": "Ann Lee",
        "status": "Complete",
        "lesson": "lesson-3",
        "chapter": "chapter-1",
        "course": "a-guide",
    } | members


def enrollment(**members: Any) -> dict[str, Any]:
    """A document of Frappe's `LMS Enrollment`."""
    return {
        "doctype": "LMS Enrollment",
        "name": "en1",
        "creation": "2026-02-27 08:00:00.000000",
        "modified": "2026-03-01 10:00:00.200000",
        "member": "ann@example.org",
        "member_name": "Ann Lee",
        "member_type": "Student",
        "course": "a-guide",
    } | members


def become(format_name: str, document: object, connection: Connection) -> list[NamedEvent | str]:
    """The events of a document, or in place of each the reason why there is none."""
    found: list[NamedEvent | str] = []
    for each in FORMATS[format_name].split(document):
        try:
            found += FORMATS[format_name].translate(each, connection, ARRIVED)
        except Ignored as ignored:
            found.append(ignored.reason)
        except Rejected as rejected:
            found.append(f"rejected: {rejected.reason}")
    return found


def event_of(format_name: str, record: object, **options: Any) -> Any:
    """The only event of a record."""
    (event,) = become(format_name, record, connection_of(format_name, **options))
    assert not isinstance(event, str), event
    return event


def outcome(format_name: str, record: object, **options: Any) -> str:
    """The type of the only event of a record, or the reason why there is none."""
    (found,) = become(format_name, record, connection_of(format_name, **options))
    return found if isinstance(found, str) else str(found.type)


def shown(event: NamedEvent) -> dict[str, Any]:
    """The event as tests/data/lms has it."""
    data = event.data.model_dump(exclude={"timezone"})
    time = f"{event.time:%Y-%m-%dT%H:%M:%S.%fZ}"
    return {"type": event.type, "id": event.event_id, "source": event.source, "time": time, **data}
