"""An entry whose processing kills the process that does it.

The worker's interpreter runs a `sitecustomize` of the test's, found by PYTHONPATH: it makes both parsers send SIGKILL
to their own process when they meet one topic. Nothing in the worker knows of it.
"""

import os
from pathlib import Path

from tests.support.events import body, enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import ROOT
from worker.domain.event import CloudEvent

DEADLY_TOPIC = 666_013

SITECUSTOMIZE = f"""
import os, signal
from worker.domain import entry, fast_path

def deadly(parse):
    def die_or_parse(candidate):
        if b"{DEADLY_TOPIC}" in (candidate.body or b""):
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(candidate)
    return die_or_parse

entry.parse = deadly(entry.parse)
fast_path.decode = deadly(fast_path.decode)
"""


def test_it_ends_as_crashes_worker_and_its_neighbours_are_applied(system: System, tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    neighbours = [enrolled(1), *(viewed(1, 1, number, seconds=number) for number in range(1, 11))]
    deadly = body(viewed(1, DEADLY_TOPIC, 1))
    bodies = [body(event) for event in neighbours]
    system.publish_bodies([*bodies[:6], deadly, *bodies[6:]])

    system.extra_environment["PYTHONPATH"] = f"{folder}{os.pathsep}{ROOT}"
    worker = system.start_worker(
        1,
        suspect_deliveries=1,
        reclaim_idle_seconds=0.3,
        lease_seconds=1,
    )
    system.start_beat()
    (condemned,) = worker.wait_for_line("entry_condemned", 40)
    system.assert_exact(neighbours, rejected={"crashes_worker": 1})
    assert condemned["detail"] == "workers died while they processed it alone"
    deaths = worker.log.read_text().count("signal 9")
    assert deaths >= 4, "one death in a batch and three alone, at least"


def test_entries_delivered_often_for_another_reason_are_applied_all_the_same(system: System) -> None:
    """Deliveries alone condemn nothing: an outage raises them too."""
    events: list[CloudEvent] = [enrolled(1), *(viewed(1, 1, number, seconds=number) for number in range(1, 11))]
    worker = system.start_worker(1, suspect_deliveries=1, lock_timeout_seconds=0.1, backoff_seconds=0.1)
    system.start_beat()
    with system.locked("LOCK TABLE user_course IN SHARE MODE"):
        system.publish(events)
        stream = system.keys.stream_for(1)
        wait_until(lambda: any(each["times_delivered"] > 3 for each in system.delivered(stream)), 20, "deliveries")
        assert "crashes_worker" not in system.letters()
    system.assert_exact(events)
    assert not worker.lines("entry_condemned")
