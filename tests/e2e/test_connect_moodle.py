"""Moodle sends with the settings of docs/how-to/connect-moodle.md to real processes: the rows say the same."""

import json
from pathlib import Path

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.events import at
from tests.support.how_to import HowTo
from tests.support.moodle_and_edx import moodle_statement
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.tables import rows
from tests.support.xapi import exchange

COMPLETION = "core/course_module_completion_updated"
PAGE, QUIZ, BOOK = "mod/page/view.php?id=12", "mod/quiz/view.php?id=13", "mod/book/view.php?id=14"
STATEMENTS = [
    moodle_statement(7, "registered", "course/view.php?id=5", "core/user_enrolment_created", 0),
    moodle_statement(7, "viewed", "course/view.php?id=5", "core/course_viewed", 10),
    moodle_statement(7, "viewed", PAGE, "mod_page/course_module_viewed", 20),
    moodle_statement(7, "completed", PAGE, COMPLETION, 30),
    moodle_statement(7, "viewed", QUIZ, "mod_quiz/course_module_viewed", 40),
    moodle_statement(7, "completed", QUIZ, "mod_quiz/attempt_submitted", 50),
    moodle_statement(8, "viewed", f"{BOOK}&chapterid=2", "mod_book/chapter_viewed", 60),
    moodle_statement(8, "completed", BOOK, COMPLETION, 70),
    moodle_statement(8, "uncompleted", BOOK, COMPLETION, 80),
    moodle_statement(9, "loggedin", "login/index.php", "core/user_loggedin", 90),
]
EXPECTED = {
    ("moodle", "user:7", "course:5", "cm:12"): ("completed", at(30), at(30)),
    ("moodle", "user:7", "course:5", "cm:13"): ("in_progress", at(50), None),
    ("moodle", "user:8", "course:5", "cm:14"): ("in_progress", at(80), None),
}


def test_what_moodle_sends_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-moodle")
    system.extra_environment = how_to.environment(tmp_path)
    endpoint = how_to.setting("LRS endpoint")
    account = how_to.setting("LRS auth key/username"), how_to.setting("LRS auth secret")
    # Cron's batch is cut off and sent again, then a resend of what has failed in the reverse order.
    batches = [STATEMENTS[:6], STATEMENTS[6:], STATEMENTS[6:], STATEMENTS[::-1]]
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for number, batch in enumerate(batches):
            request = senders.moodle(endpoint, *account, batch, asks=number == 2)
            answer = exchange(process.url, *request)
            assert (answer.status, len(json.loads(answer.body))) == (200, len(batch))
        stranger = exchange(process.url, *senders.moodle(endpoint, account[0], "wrong", STATEMENTS))
        assert stranger.status == 401
    finally:
        process.close()
    system.wait_until_drained()
    assert rows_by_name(system.engine) == EXPECTED
    assert system.dead_letters() == {}
    assert system.recorded() == 7
    enrolled = "SELECT enrolled_at FROM user_course JOIN external_enrollment ON user_course_id = user_course.id"
    assert (at(0),) in rows(system.engine, enrolled)
    assert "Öz" not in process.log.read_text(encoding="utf-8")
