"""PostgreSQL crashes, comes back, and stays away: nothing is acknowledged without COMMIT, nothing is dead-lettered."""

import signal

import psutil
import pytest

from tests.support import oulad
from tests.support.load import Load
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.wait import wait_until


@pytest.mark.second_tier
def test_an_immediate_restart_under_load_leaves_exact_rows(
    own_postgresql_system: System, own_servers: OwnServers
) -> None:
    system = own_postgresql_system
    lines = oulad.generate(8_000, learners=40)
    worker = system.start_worker(2, batch_size=200)
    system.start_beat()
    with Load(system.settings, lines) as load:
        for share in (0.2, 0.5):
            load.wait_for(share)
            wait_until(lambda: sum(system.pending().values()), what="a batch in somebody's hands")
            own_servers.stop_postgresql(signal.SIGQUIT)
            own_servers.start_postgresql()
    system.assert_exact(oulad.parse(lines))
    assert worker.lines("server_away")
    assert not load.errors
    assert own_servers.deadlocks() == 0


def test_while_it_is_away_the_backlog_is_kept_and_workers_idle(
    own_postgresql_system: System, own_servers: OwnServers
) -> None:
    system = own_postgresql_system
    lines = oulad.generate(3_000)
    worker = system.start_worker(2, backoff_seconds=0.5)
    system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    own_servers.stop_postgresql()
    system.publish_bodies(lines[500:])
    seen = len(worker.wait_for_line("server_away", count=6))
    pool = worker.pool_processes()
    cpu, memory = cpu_seconds(pool), sum(process.memory_info().rss for process in pool)
    worker.wait_for_line("server_away", count=seen + 8)
    assert cpu_seconds(pool) - cpu < 1.0, "waiting costs too much"
    assert sum(process.memory_info().rss for process in pool) - memory < 20 * 2**20
    assert system.unread() + sum(system.pending().values()) == len(lines) - 500, "something was acknowledged"
    deliveries = [each["times_delivered"] for stream in system.keys.streams for each in system.delivered(stream)]
    assert max(deliveries, default=1) <= 2, "entries were delivered again and again"
    own_servers.start_postgresql()
    system.assert_exact(oulad.parse(lines))


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)
