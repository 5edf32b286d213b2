"""SIGTERM: reading stops at once, the exit is clean and soon, and nothing is left behind."""

import pytest

from tests.support import oulad
from tests.support.load import Load
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, pid_of

LIMIT_SECONDS = 10


def pool(worker: CeleryProcess) -> set[int]:
    return {process.pid for process in worker.pool_processes()}


def consumers_of(system: System, pids: set[int]) -> set[str]:
    return {consumer for consumer in system.consumers() if pid_of(consumer) in pids}


def wait_until_they_have_left(system: System, pids: set[int]) -> None:
    """What waited for a learner whom the other worker had locked is given back, and taken over at once.

    Until then it is pending on the one that left, which is removed after that.
    """
    wait_until(
        lambda: not any(pid_of(each) in pids for each in system.pending()), what="the end of what was given back"
    )
    wait_until(lambda: not consumers_of(system, pids), what="the removal of its consumers")


@pytest.mark.parametrize("slice_seconds", [pytest.param(2, marks=pytest.mark.second_tier), 10])
def test_an_idle_worker_exits_at_once_and_leaves_the_group(system: System, slice_seconds: float) -> None:
    worker = system.start_worker(2, slice_seconds=slice_seconds)
    beat = system.start_beat()
    wait_until(system.consumers, 20, what="a consumer in the group")
    status, seconds = worker.stop()
    assert status == 0
    assert seconds < LIMIT_SECONDS
    assert system.consumers() == set()
    assert all(system.holder(stream) is None for stream in system.keys.streams)
    assert beat.stop()[0] == 0


@pytest.mark.second_tier
def test_one_of_two_workers_leaves_under_load_with_nothing_pending(system: System) -> None:
    lines = oulad.generate(15_000, learners=40)
    workers = [system.start_worker(2, batch_size=200, reclaim_idle_seconds=600) for _ in range(2)]
    system.start_beat()
    with Load(system.settings, lines, pause_seconds=0.04) as load:
        for share in (0.05, 0.3):
            load.wait_for(share)
            # The one that reads: under this load one consumer is enough, and whose it is, chance decides.
            reader = wait_until(lambda: system.holder(system.settings.stream_key) or "", 20, "a reader")
            number = next(index for index, worker in enumerate(workers) if pid_of(reader) in pool(worker))
            leaver, pids = workers[number], pool(workers[number])
            leaver.wait_for_line("batch_recorded")
            status, seconds = leaver.stop()
            assert status == 0, leaver.tail()
            assert seconds < LIMIT_SECONDS
            wait_until_they_have_left(system, pids)
            assert load.published < len(lines), "the load had ended"
            workers[number] = system.start_worker(2, batch_size=200, reclaim_idle_seconds=600)
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_reading_stops_with_the_signal_although_a_backlog_waits(system: System) -> None:
    lines = oulad.generate(40_000, learners=40)
    system.publish_bodies(lines)
    worker = system.start_worker(2, batch_size=200, slice_seconds=60)
    worker.wait_for_line("batch_recorded", count=5)
    status, seconds = worker.stop()
    assert status == 0
    assert seconds < LIMIT_SECONDS
    assert system.unread() > 0, "it drained everything: nothing was tested"
    assert system.pending() == {}
    assert system.consumers() == set()
    system.start_worker(2)
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_a_worker_that_waits_for_a_lock_still_exits_in_time_and_its_batch_comes_again(system: System) -> None:
    lines = oulad.generate(300)
    worker = system.start_worker(2, lock_timeout_seconds=3)
    system.start_beat()
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines)
        system.wait_for_blocked_batch()
        status, seconds = worker.stop()
        assert status == 0
        assert seconds < LIMIT_SECONDS
    system.start_worker(2)
    system.assert_exact(oulad.parse(lines))
