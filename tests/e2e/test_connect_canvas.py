"""Canvas's Data Services with the settings of docs/how-to/connect-canvas.md to real processes."""

import json
from pathlib import Path

from tests.support import canvas, senders
from tests.support.api import ServeProcess
from tests.support.canvas import asset, enrollment, live, wide
from tests.support.commands import invoke
from tests.support.how_to import HowTo
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.tables import rows
from tests.support.xapi import exchange

MODULES = [
    {
        "id": 31,
        "items_url": "https://canvas.example/api/v1/courses/565/modules/31/items",
        "items": [
            {"id": 4635203, "type": "Page", "page_url": "welcome", "title": "Welcome"},
            {"id": 4635204, "type": "Assignment", "content_id": 12, "title": "Essay"},
            {"id": 4635205, "type": "Quiz", "content_id": 22, "title": "Test"},
        ],
    }
]
EVENTS = [
    live("enrollment_created", enrollment(user_id=wide(4), user_name="Ann Example")),
    live("asset_accessed", asset(asset_name="Welcome"), url=canvas.ITEM_URL),
    live("asset_accessed", asset(role="TeacherEnrollment"), user_id=wide(9), url=canvas.ITEM_URL),
    live(
        "submission_created",
        {"assignment_id": wide(12), "user_id": wide(4)},
        context_type=None,
        context_id=None,
        user_id=None,
    ),
    live("quiz_submitted", {"quiz_id": wide(22)}),
    live("course_progress", {"user": {"email": "ann@example.org"}}),
    live("module_item_updated", {"module_item_id": wide(1)}),
]
NAMES = {
    "module_item:4635203": "wiki_page:welcome",
    "module_item:4635204": "assignment:12",
    "module_item:4635205": "quiz:22",
}
"""Of the lessons, and their aliases, by which submissions come without a course."""
STATUSES = ("in_progress", "completed", "completed")
EXPECTED = {
    ("canvas", "user:4", "course:565", name): status
    for names, status in zip(NAMES.items(), STATUSES, strict=True)
    for name in names
}


def test_what_canvas_sends_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-canvas")
    system.extra_environment = how_to.environment(tmp_path)
    environment = system.environment()
    url = how_to.setting("URL")
    (tmp_path / "modules.json").write_text(json.dumps(MODULES), encoding="utf-8")
    load = ("outline", "load", "--format", "canvas", "--connection", "canvas", str(tmp_path / "modules.json"))
    assert invoke(environment, *load).exit_code == 0
    process = ServeProcess(environment, tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for event in (*EVENTS[::-1], *EVENTS):
            answer = exchange(process.url, *senders.canvas(url, json.dumps(event).encode()))
            assert (answer.status, answer.body) == (200, b"")
        for wrong in (f"{url}x", url[:-1], url.rpartition("/")[0], f"{url}/{url}"):
            assert exchange(process.url, *senders.canvas(wrong, b"{}")).status == 401
    finally:
        process.close()
    system.wait_until_drained()
    assert {name: row[0] for name, row in rows_by_name(system.engine).items()} == EXPECTED
    assert system.recorded() == 3
    log = process.log.read_text(encoding="utf-8")
    assert log.count("request_served") == 2 * len(EVENTS) + 4
    for secret in (url.rpartition("/")[2], "ann@example.org", "Ann Example", "192.0.2.1"):
        assert secret not in log
    assert rows(system.engine, "SELECT 1 FROM dead_letter") == []
    recorded = system.recorded()
    queue = {"Messages": [{"MessageId": str(n), "Body": json.dumps(each)} for n, each in enumerate(EVENTS)]}
    (tmp_path / "queue.json").write_text(json.dumps(queue, indent=4), encoding="utf-8")
    assert invoke(environment, "publish", str(tmp_path / "queue.json"), "--connection", "canvas").exit_code == 0
    system.wait_until_drained()
    assert system.recorded() == recorded
