"""An entry whose processing kills the process that does it.

Both parsers have a crash point for one topic (`tests/support/crash_points.py`); nothing in the worker knows of it.
"""

from pathlib import Path

import pytest

from tests.support.crash_points import CrashPoint, CrashPoints
from tests.support.events import body, enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent

DEADLY_TOPIC = 666_013

MEETS_IT = f'b"{DEADLY_TOPIC}" in (arguments[0].body or b"")'


def test_it_ends_as_crashes_worker_and_its_neighbors_are_applied(system: System, tmp_path: Path) -> None:
    parsers = ("worker.contract.parse:parse_entry", "worker.contract.fast_path:decode")
    crash_points = CrashPoints(tmp_path, *(CrashPoint("before", parser, None, MEETS_IT) for parser in parsers))
    neighbors = [enrolled(1), *(viewed(1, 1, number, seconds=number) for number in range(1, 11))]
    deadly = body(viewed(1, DEADLY_TOPIC, 1))
    bodies = [body(event) for event in neighbors]
    system.publish_bodies([*bodies[:6], deadly, *bodies[6:]])

    system.extra_environment |= crash_points.environment
    worker = system.start_worker(2, quarantine_deliveries=1, reclaim_idle_seconds=0.3, lease_seconds=1)
    system.start_beat()
    (poison,) = worker.wait_for_line("poison_entry", 40)
    system.assert_exact(neighbors, rejected={"crashes_worker": 1})
    assert poison["detail"] == "workers died while they processed it alone"
    assert len(crash_points.dead()) >= 4, "one death in a batch and three alone, at least"


@pytest.mark.second_tier
def test_entries_delivered_often_for_another_reason_are_applied_all_the_same(system: System) -> None:
    """Deliveries alone make no entry poison: an outage raises them too."""
    events: list[CloudEvent] = [enrolled(1), *(viewed(1, 1, number, seconds=number) for number in range(1, 11))]
    worker = system.start_worker(1, quarantine_deliveries=1, lock_timeout_seconds=0.1, backoff_seconds=0.1)
    system.start_beat()
    with system.locked("LOCK TABLE user_course IN SHARE MODE"):
        system.publish(events)
        stream = system.keys.stream_for(1)
        wait_until(lambda: any(each["times_delivered"] > 3 for each in system.delivered(stream)), 20, "deliveries")
        assert "crashes_worker" not in system.dead_letters()
    system.assert_exact(events)
    assert not worker.lines("poison_entry")
