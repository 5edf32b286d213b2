"""Workers die by SIGKILL at random moments under load, and others are started in their place."""

import os
import random
import signal
from functools import partial

import pytest

from tests.support import oulad
from tests.support.load import Load
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, is_alive, pid_of

QUICK: dict[str, object] = {"reclaim_idle_seconds": 1, "lease_seconds": 1, "batch_size": 200}


def holds_entries(system: System, worker: CeleryProcess) -> bool:
    pids = {process.pid for process in worker.pool_processes()}
    return any(pid_of(consumer) in pids for consumer in system.pending())


def at_work(system: System, workers: list[CeleryProcess]) -> list[int]:
    return [number for number, worker in enumerate(workers) if holds_entries(system, worker)]


@pytest.mark.second_tier
def test_whole_workers_killed_and_replaced_under_load_leave_exact_rows_and_no_dead_consumers(system: System) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    lines = oulad.generate(12_000, learners=40)
    workers = [system.start_worker(2, **QUICK), system.start_worker(2, **QUICK)]
    logs = list(workers)
    beat = system.start_beat(consumer_idle_seconds=1)
    caught = 0
    with Load(system.settings, lines, pause_seconds=0.03) as load:
        for share in sorted(chance.uniform(0.05, 0.9) for _ in range(4)):
            load.wait_for(share)
            number = chance.choice(wait_until(partial(at_work, system, workers), 20, "a worker with a batch in hand"))
            workers[number].kill()
            caught += sum(system.pending().values()) > 0
            workers[number] = system.start_worker(2, **QUICK)
            logs.append(workers[number])
    system.assert_exact(oulad.parse(lines))
    assert caught, "no kill left anything pending: nothing was tested"
    assert sum(len(log.lines("entries_reclaimed")) for log in logs) > 0
    assert beat.is_running()
    wait_until(
        lambda: all(is_alive(pid_of(consumer)) for consumer in system.consumers()), 20, "the removal of dead consumers"
    )


def test_a_pool_whose_main_process_was_killed_ends_and_another_worker_goes_on(system: System) -> None:
    lines = oulad.generate(6_000, learners=40)
    first = system.start_worker(2, **QUICK)
    system.start_beat()
    with Load(system.settings, lines) as load:
        load.wait_for(0.3)
        wait_until(lambda: holds_entries(system, first), what="a batch in the first worker's hands")
        orphans = [process.pid for process in first.pool_processes()]
        os.kill(first.pid, signal.SIGKILL)
        second = system.start_worker(2, **QUICK)
    system.assert_exact(oulad.parse(lines))
    assert len(orphans) == 2
    assert second.lines("batch_recorded")
    wait_until(lambda: not any(is_alive(pid) for pid in orphans), 20, "the end of the orphaned pool")
