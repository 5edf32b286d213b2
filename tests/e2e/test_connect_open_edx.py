"""Open edX sends with the settings of docs/how-to/connect-open-edx.md to real processes: the rows say the same."""

import json
from pathlib import Path

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.events import at
from tests.support.how_to import HowTo
from tests.support.moodle_and_edx import EDX_COURSE, LMS, edx_block, edx_learner, edx_statement
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.xapi import Statement, exchange

VIDEO, PROBLEM, TEXT = edx_block("video", "0b9e"), edx_block("problem", "7c54"), edx_block("html", "030e")
PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"


def completion(user: str, block: str, ratio: float, seconds: float) -> Statement:
    """Of `edx.completion.block_completion.changed`."""
    result = {"completion": ratio == 1, "extensions": {PROGRESS: ratio * 100}}
    return edx_statement(user, "progressed", block, seconds, result=result)


STATEMENTS = [
    edx_statement("ann", "registered", EDX_COURSE, 0),
    edx_statement("ann", "https://w3id.org/xapi/video/verbs/played", VIDEO, 10),
    completion("ann", VIDEO, 1, 20),
    edx_statement("ann", "https://w3id.org/xapi/acrossx/verbs/evaluated", PROBLEM, 30, result={"success": True}),
    completion("ann", TEXT, 1, 40),
    completion("ann", TEXT, 0, 50),
    completion("bob", PROBLEM, 0.5, 60),
    edx_statement("bob", "https://w3id.org/xapi/dod-isd/verbs/navigated", edx_block("sequential", "19a3"), 70),
    completion("bob", PROBLEM, 1, 80),
]


def key(user: str, block: str) -> tuple[str, str, str, str]:
    return ("edx", f"account:{LMS}|{edx_learner(user)}", EDX_COURSE, block)


EXPECTED = {
    key("ann", VIDEO): ("completed", at(20), at(20)),
    key("ann", PROBLEM): ("in_progress", at(30), None),
    key("ann", TEXT): ("in_progress", at(50), None),
    key("bob", PROBLEM): ("completed", at(80), at(80)),
}


def test_what_open_edx_sends_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-open-edx")
    system.extra_environment = how_to.environment(tmp_path)
    route_url = how_to.setting("Route url")
    token = how_to.setting("Auth Key")
    bearer = f"{how_to.setting('Auth Scheme')} {token}"
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for each in STATEMENTS[::-1]:  # a task each, in any order
            assert exchange(process.url, *senders.open_edx(route_url, bearer, each)).status == 204
        # Tasks are tried again; logs are replayed in batches; Basic does as well.
        for authorization in (bearer, senders.basic("any", token)):
            answer = exchange(process.url, *senders.open_edx(route_url, authorization, STATEMENTS))
            assert (answer.status, json.loads(answer.body)) == (200, [each["id"] for each in STATEMENTS])
        assert exchange(process.url, *senders.open_edx(route_url, f"{bearer}x", STATEMENTS)).status == 401
    finally:
        process.close()
    system.wait_until_drained()
    assert rows_by_name(system.engine) == EXPECTED
    assert system.dead_letters() == {}
    assert system.recorded() == 7
