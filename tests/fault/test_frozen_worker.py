"""A pool process stands still (SIGSTOP) for longer than its leases and min-idle, others take over, and it wakes."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.support import oulad
from tests.support.crash_points import CrashPoint, CrashPoints
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, frozen, pid_of
from worker.contract.event import CloudEvent

QUICK: dict[str, object] = {"reclaim_idle_seconds": 0.5, "lease_seconds": 1}


def test_new_entries_of_the_partitions_it_had_leased_are_applied_by_others(system: System) -> None:
    events: list[CloudEvent] = [enrolled(key) for key in range(1, 9)]
    system.start_worker(2, **QUICK)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    holder = wait_until(lambda: system.holder(system.settings.stream_key) or "", what="the plain stream's consumer")
    with frozen(pid_of(holder)):
        later: list[CloudEvent] = [viewed(key, 1, 1) for key in range(1, 9)]
        system.publish(later)
        system.assert_exact(events + later)
        assert system.holder(system.settings.stream_key) != holder
    last: list[CloudEvent] = [viewed(key, 1, 2, seconds=5) for key in range(1, 9)]
    system.publish(last)
    system.assert_exact(events + later + last)


@pytest.mark.second_tier
def test_frozen_in_its_transaction_it_finds_its_batch_done_by_others_when_it_wakes(system: System) -> None:
    """The frozen process holds row locks in PostgreSQL until that ends the idle transaction; then others commit."""
    lines = oulad.generate(400)
    first, second = (
        system.start_worker(1, **QUICK, statement_timeout_seconds=2, lock_timeout_seconds=1) for _ in range(2)
    )
    system.start_beat()
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE") as connection:
        system.publish_bodies(lines)
        system.wait_for_blocked_batch()
        (holder,) = system.pending()
        delivered = system.pending()[holder]
        with frozen(pid_of(holder)):
            connection.rollback()
            system.assert_exact(oulad.parse(lines))
            assert holder not in system.pending()
    frozen_one, other = (first, second) if pid_of(holder) in pool(first) else (second, first)
    reclaimed = other.wait_for_line("entries_reclaimed")
    assert sum(line["entries"] for line in reclaimed) >= delivered
    assert [line["consumer"] for line in frozen_one.wait_for_line("server_away")] == [holder], "its connection was cut"
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_frozen_with_a_batch_read_it_records_it_when_it_wakes_and_it_counts_once(
    system: System, tmp_path: Path
) -> None:
    """It stops itself right after the read; both commit the same entries, one after the other."""
    lines = oulad.generate(400)
    has_lesson_event = "any(b'lesson.' in entry.body for entry in result)"
    points = CrashPoints(tmp_path, CrashPoint("after", "worker.streams.read:read_new", 1, has_lesson_event, "SIGSTOP"))
    system.extra_environment |= points.environment
    workers = [system.start_worker(1, **QUICK) for _ in range(2)]
    system.start_beat()
    system.publish_bodies(lines)
    (pid,) = wait_until(points.dead, 20, "a process that stands still")
    system.assert_exact(oulad.parse(lines))
    (frozen_one,) = (worker for worker in workers if pid in pool(worker))
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    before = len(frozen_one.lines("batch_recorded"))
    os.kill(pid, signal.SIGCONT)
    woken = frozen_one.wait_for_line("batch_recorded", count=before + 1)[before]
    assert pid_of(woken["consumer"]) == pid
    assert woken["repeated"] > 0
    system.assert_exact(oulad.parse(lines))


def pool(worker: CeleryProcess) -> set[int]:
    return {process.pid for process in worker.pool_processes()}
