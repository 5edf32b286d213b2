"""The LMS is newer than the workers: an event of a type they do not know waits, and counts once they do.

The old worker's interpreter runs a `sitecustomize` of the test's, found by PYTHONPATH, in which corrections are not
invented yet.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.events import at, corrected, enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import ROOT
from worker.contract.event import CloudEvent

SITECUSTOMIZE = """
from worker.contract import parse
from worker.contract.entry import Reason, Rejection

parse_entry = parse.parse_entry

def parse_as_of_old(candidate, *clock_and_dropped):
    if b"progress.corrected" in (candidate.body or b""):
        raise Rejection(Reason.UNKNOWN_TYPE, "progress.corrected")
    return parse_entry(candidate, *clock_and_dropped)

parse.parse_entry = parse_as_of_old
"""


def test_events_of_a_new_type_are_set_aside_and_redriven_after_the_upgrade(system: System, tmp_path: Path) -> None:
    known: list[CloudEvent] = [enrolled(1), *(viewed(1, 1, number, seconds=number) for number in range(1, 6))]
    new: list[CloudEvent] = [
        corrected(1, 1, number, seconds=100, status="completed", last_viewed_at=at(50), completed_at=at(60))
        for number in (2, 4)
    ]
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = dict(system.extra_environment)
    system.extra_environment["PYTHONPATH"] = f"{folder}{os.pathsep}{ROOT}"
    old = system.start_worker(2)
    system.extra_environment = environment
    system.start_beat()
    system.publish([*known, *new])
    system.assert_exact(known, rejected={"unknown_type": 2})

    system.start_worker(2)
    status, _ = old.stop()
    assert status == 0
    redrive = [sys.executable, "-m", "worker.cli.main", "dead-letters", "redrive", "--reason", "unknown_type"]
    finished = subprocess.run(redrive, env=system.environment(), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    later: list[CloudEvent] = [corrected(1, 1, 5, seconds=100, status="completed", completed_at=at(70))]
    system.publish(later)
    wait_until(system.is_drained, what="the end of the backlog")
    system.assert_exact([*known, *new, *later])
