"""Frappe's webhooks with the settings of docs/how-to/connect-frappe.md, and its outline, to real processes."""

import json
import re
from pathlib import Path
from typing import Any

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.commands import invoke
from tests.support.how_to import HowTo
from tests.support.lms_records import enrollment, progress
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.tables import rows
from tests.support.xapi import exchange
from worker.adapters.names import mail_name

ANN, BOB = "ann@example.org", "Bob@Example.org"
COURSE = "a-guide-to-frappe"
OUTLINE = {
    "message": [
        {
            "name": "chapter-1",
            "title": "One",
            "idx": 1,
            "lessons": [{"name": "lesson-1", "title": "A", "number": "1.1"}],
        },
        {
            "name": "chapter-2",
            "title": "Two",
            "idx": 2,
            "lessons": [{"name": "lesson-2", "title": "B", "number": "2.1"}],
        },
    ]
}


def saved(name: str, member: str, lesson: str, status: str, time: str) -> dict[str, Any]:
    return progress(
        name=name,
        member=member,
        lesson=lesson,
        chapter=lesson.replace("lesson", "chapter"),
        status=status,
        course=COURSE,
        creation="2025-07-14 09:00:00.000000",
        modified=time,
    )


DOCUMENTS = [
    enrollment(member=ANN, course=COURSE, creation="2025-07-14 08:00:00.000000"),
    enrollment(name="en2", member=BOB, course=COURSE, member_type="Mentor"),
    saved("p1", ANN, "lesson-1", "Complete", "2025-07-14 16:00:00.123456"),
    saved("p2", ANN, "lesson-2", "Incomplete", "2025-07-14 16:05:00.000000"),
    saved("p3", BOB, "lesson-2", "Partially Complete", "2025-07-14 16:10:00.000000"),
]


def rendered(template: str, document: dict[str, Any]) -> dict[str, Any]:
    """What Frappe makes of its webhook's JSON body for a document."""
    text = re.sub(r"\{\{ doc\.(\w+) \| tojson \}\}", lambda member: json.dumps(document.get(member[1])), template)
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_frappe_sends_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-frappe")
    system.extra_environment = how_to.environment(tmp_path)
    environment = system.environment()
    (template,) = re.findall(r"^```json\n(.*?)^```$", how_to.text, re.MULTILINE | re.DOTALL)
    second = template.replace('"status": {{ doc.status | tojson }}', '"member_type": {{ doc.member_type | tojson }}')
    headers = {"Content-Type": "application/json", "Authorization": how_to.setting("Authorization")}
    (tmp_path / "outline.json").write_text(json.dumps(OUTLINE), encoding="utf-8")
    load = ["outline", "load", "--format", "frappe", "--connection", "academy", "--course", COURSE]
    assert invoke(environment, *load, str(tmp_path / "outline.json")).exit_code == 0
    process = ServeProcess(environment, tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for document in (*DOCUMENTS, *DOCUMENTS[::-1]):
            body = rendered(second if document["doctype"] == "LMS Enrollment" else template, document)
            answer = exchange(process.url, *senders.frappe(how_to.setting("Request URL"), headers, body))
            assert (answer.status, answer.body) == (200, b"")
        wrong = senders.frappe(how_to.setting("Request URL"), headers | {"Authorization": "Bearer x"}, DOCUMENTS[2])
        assert exchange(process.url, *wrong).status == 401
    finally:
        process.close()
    (tmp_path / "past.jsonl").write_text("\n".join(map(json.dumps, DOCUMENTS)), encoding="utf-8")
    assert invoke(environment, "publish", str(tmp_path / "past.jsonl"), "--connection", "academy").exit_code == 0
    system.wait_until_drained()
    found = {name: status for name, (status, *_) in rows_by_name(system.engine).items()}
    assert found == {
        ("academy", mail_name(ANN), COURSE, "lesson-1"): "completed",
        ("academy", mail_name(BOB), COURSE, "lesson-2"): "in_progress",
    }
    assert system.dead_letters() == {}
    assert system.recorded() == 2
    topics = "SELECT DISTINCT key FROM external_id WHERE kind = 'topic' ORDER BY key"
    assert rows(system.engine, topics) == [("chapter-1",), ("chapter-2",)]
    everything = process.log.read_text(encoding="utf-8") + str(rows(system.engine, "SELECT key FROM external_id"))
    assert "@" not in everything
