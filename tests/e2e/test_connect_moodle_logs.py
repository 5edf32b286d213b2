"""Moodle's rows and webhooks by docs/how-to/connect-moodle-logs.md to real processes: each event counts once."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.commands import invoke
from tests.support.events import at
from tests.support.how_to import HowTo
from tests.support.lms_records import COMPLETION, ENROLLED, reported
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.xapi import exchange

VIEWED = "\\mod_page\\event\\course_module_viewed"


def event(
    name: str, seconds: float, user: int, module: int, state: int | None = None, **members: Any
) -> dict[str, Any]:
    """An event's data as Moodle's observers get it."""
    other = None if state is None else {"relateduserid": user, "overrideby": None, "completionstate": state}
    return {
        "eventname": name,
        "component": "core",
        "objecttable": "page",
        "objectid": 9,
        "crud": "r",
        "edulevel": 2,
        "contextid": 30,
        "contextlevel": 70,
        "contextinstanceid": str(module),
        "userid": str(user),
        "courseid": "5",
        "relateduserid": None if name == VIEWED else user,
        "anonymous": 0,
        "other": other,
        "timecreated": int(at(seconds).timestamp()),
    } | members


EVENTS = [
    event(ENROLLED, 0, 7, 5, userid="2", contextlevel=50, other={"enrol": "manual"}),
    event("\\core\\event\\course_viewed", 5, 7, 5, contextlevel=50, relateduserid=None),
    event(VIEWED, 10, 7, 12),
    event(COMPLETION, 20, 7, 12, 1),
    event(VIEWED, 30, 8, 12),
    event(COMPLETION, 40, 8, 13, 2, userid="2"),
    event(COMPLETION, 50, 8, 13, 0),
    event(VIEWED, 60, 1, 12),
    event(VIEWED, 70, 9, 12, edulevel=1),
]
EXPECTED = {
    ("moodle", "user:7", "course:5", "cm:12"): ("completed", at(20), at(20)),
    ("moodle", "user:8", "course:5", "cm:12"): ("in_progress", at(30), None),
    ("moodle", "user:8", "course:5", "cm:13"): ("in_progress", at(50), None),
}
RECORDED = 6 - 1
"""Each event of a lesson once."""


def row(number: int, data: dict[str, Any]) -> dict[str, Any]:
    """How the table keeps an event."""
    other = json.dumps(data["other"]) if data["other"] else "N;"
    return {"id": number} | data | {"other": other, "origin": "web", "ip": "192.0.2.1", "realuserid": None}


def table(rows: list[dict[str, Any]], delimiter: str = ",", nothing: str = "") -> str:
    """As PostgreSQL's COPY writes it, or with tabs as MySQL's command line, which quotes nothing."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    if delimiter == "\t":
        writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(rows[0])
    writer.writerows([nothing if value is None else value for value in each.values()] for each in rows)
    return text.getvalue()


def test_what_moodle_logs_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-moodle-logs")
    system.extra_environment = how_to.environment(tmp_path)
    environment = system.environment()
    url, token = how_to.setting("URL"), how_to.setting("Token")
    rows = [row(number, each) for number, each in enumerate(EVENTS, 1)]
    files = {
        "postgresql.csv": table(rows[:6]),
        "mysql.csv": table(rows[::-1], "\t", "NULL"),
        "rows.json": json.dumps(rows),
    }
    process = ServeProcess(environment, tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for each in EVENTS[3:]:
            for content_type in ("application/json", "application/x-www-form-urlencoded"):
                answer = exchange(process.url, *senders.local_webhooks(url, token, each, content_type))
                assert (answer.status, answer.body) == (200, b"")
        for each in EVENTS:
            assert exchange(process.url, *senders.local_webhooks_form(url, token, each)).status == 200
        assert exchange(process.url, *senders.local_webhooks(url, "wrong-and-not-known", EVENTS[2])).status == 401
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
            done = invoke(environment, "publish", str(tmp_path / name), "--connection", "moodle")
            assert done.exit_code == 0, done.output
            assert "rejected" not in done.output
    finally:
        process.close()
    system.wait_until_drained()
    assert rows_by_name(system.engine) == EXPECTED
    assert system.dead_letters() == {}
    assert system.recorded() == RECORDED
    assert token not in process.log.read_text(encoding="utf-8")


def test_the_report_that_a_teacher_downloads(system: System, tmp_path: Path) -> None:
    system.extra_environment = HowTo("connect-moodle-logs").environment(tmp_path)
    environment = system.environment()
    viewed = "The user with id '7' viewed the 'page' activity with course module id '12'."
    changed = (
        "The user with id '7' updated the completion state for the course module with id '12' for the user with id '7'."
    )
    time = f"{at(0):%d/%m/%y}, 10:30"
    (tmp_path / "logs.csv").write_text(table([reported(viewed, Time=time), reported(changed, Time=time)]), "utf-8")
    arguments = ["publish", str(tmp_path / "logs.csv"), "--connection", "moodle", "--set", "course=5"]
    done = invoke(environment, *arguments)
    assert "state_unknown" in done.output
    assert invoke(environment, *arguments, "--set", "assume_completed=true").exit_code == 0
    system.start_worker(2)
    system.wait_until_drained()
    ((name, (status, *_)),) = rows_by_name(system.engine).items()
    assert (name, status) == (("moodle", "user:7", "course:5", "cm:12"), "completed")
    assert system.recorded() == 2
