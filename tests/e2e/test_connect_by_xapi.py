"""Stores forward with the settings of docs/how-to/connect-by-xapi.md to real processes: the rows say the same."""

import json
import re
import shlex
from pathlib import Path

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.events import at
from tests.support.how_to import HowTo
from tests.support.named import rows_by_name
from tests.support.senders import Request
from tests.support.system import System
from tests.support.xapi import HOME, Statement, exchange, learner_name, statement


def statements() -> list[Statement]:
    """Each of two learners views, completes and views again; one fails."""
    made = [
        statement(learner, verb, timestamp=at(seconds).isoformat(), id=f"0198a1b2-c3d4-4e5f-8a9b-{seconds:012d}")
        for learner, verb, seconds in (
            ("ann", "initialized", 10),
            ("ann", "completed", 20),
            ("ann", "answered", 25),
            ("ann", "experienced", 30),
            ("bob", "passed", 40),
            ("cid", "failed", 50),
        )
    ]
    made[0]["attachments"] = [{"usageType": "http://example.org/x", "contentType": "image/png", "length": 2}]
    return made


EXPECTED = {
    ("lrs", learner_name(learner), f"{HOME}/c1", f"{HOME}/l1"): row
    for learner, row in {
        "ann": ("completed", at(30), at(20)),
        "bob": ("completed", at(40), at(40)),
        "cid": ("in_progress", at(50), None),
    }.items()
}


def requests(how_to: HowTo, sent: list[Statement]) -> list[tuple[Request, int]]:
    """What each store sends, with the status that it expects. All have the same statements, and send them all."""
    (forwardings,) = re.findall(r"^RALPH_XAPI_FORWARDINGS='(.*?)'$", how_to.text, re.MULTILINE | re.DOTALL)
    (ralph,) = json.loads(forwardings)
    assert set(ralph) == {"is_active", "url", "basic_username", "basic_password", "max_retries", "timeout"}
    account = ralph["basic_username"], ralph["basic_password"]
    found = [(senders.ralph(ralph["url"], *account, sent[:3]), 200)]
    found += [(senders.ralph(ralph["url"], *account, each), 204) for each in sent[3:]]

    (command,) = re.findall(r"^bin/run\.sh (.*)$", how_to.text, re.MULTILINE)
    words = shlex.split(command)
    lrspipe = dict(zip(words[::2], words[1::2], strict=True))
    target = lrspipe["--target-url"], lrspipe["--target-username"], lrspipe["--target-password"]
    found.append((senders.lrspipe(*target, sent[::-1], b"\x89\n"), 200))

    url = f"https://{how_to.setting('URL')}"
    account = how_to.setting("Username"), how_to.setting("Password")
    for number, each in enumerate(sent):
        found.append((senders.learning_locker(url, *account, each, is_wrapped=number % 2 == 0), 200))
    return found


def test_what_stores_forward_is_stored_once(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-by-xapi")
    system.extra_environment = how_to.environment(tmp_path)
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for request, status in requests(how_to, statements()):
            assert exchange(process.url, *request).status == status, request.head
    finally:
        process.close()
    system.wait_until_drained()
    assert rows_by_name(system.engine) == EXPECTED
    assert system.dead_letters() == {}
    assert system.recorded() == 5
