"""How long it takes: after a server's restart work goes on within 5 s, after a `kill -9` within min-idle + 5 s.

No process is started again. The outages are longer than a drain, so everything has to come back by itself: Celery's
connection, the wake-up, the drain, its leases.
"""

import signal
import time

import pytest

from tests.support.events import enrolled, viewed
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import kill, pid_of
from worker.contract.event import CloudEvent

RESUMED_SECONDS = 5.0
SLICE_SECONDS = 1.0
MOST_LINES_A_SECOND = 30


@pytest.mark.second_tier
def test_after_an_outage_of_redis_longer_than_a_drain(own_redis_system: System, own_servers: OwnServers) -> None:
    system = own_redis_system
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    worker, beat = system.start_worker(2, slice_seconds=SLICE_SECONDS), system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    own_servers.kill_valkey()
    killed = time.monotonic()
    worker.wait_for_line("broker_away", count=3)  # the drain is over, and nobody could ask for another
    rate = len(worker.lines()) / (time.monotonic() - killed)
    assert rate < MOST_LINES_A_SECOND, "the log is flooded"
    own_servers.start_valkey()
    events.append(viewed(1, 1, 2, seconds=2))
    system.publish(events[-1:])
    wait_until(lambda: system.recorded() == 2, RESUMED_SECONDS, "the first event after the outage")
    system.assert_exact(events)
    assert worker.is_running()
    assert beat.is_running()


def test_after_an_outage_that_the_leases_outlive(own_redis_system: System, own_servers: OwnServers) -> None:
    """Redis is back at once, and with it the leases that nobody could give back meanwhile."""
    system = own_redis_system
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    worker = system.start_worker(2, lease_seconds=600, stalled_seconds=600)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    own_servers.kill_valkey()
    worker.wait_for_line("leases_left_to_expire")
    own_servers.start_valkey()
    events.append(viewed(1, 1, 2, seconds=2))
    system.publish(events[-1:])
    wait_until(lambda: system.recorded() == 2, RESUMED_SECONDS, "the first event after the outage")
    system.assert_exact(events)


@pytest.mark.second_tier
def test_after_an_outage_of_postgresql_longer_than_a_drain(
    own_postgresql_system: System, own_servers: OwnServers
) -> None:
    system = own_postgresql_system
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    worker, beat = system.start_worker(2, slice_seconds=SLICE_SECONDS), system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    own_servers.stop_postgresql(signal.SIGQUIT)
    events.append(viewed(1, 1, 2, seconds=2))
    system.publish(events[-1:])
    stopped = time.monotonic()
    wait_until(
        lambda: time.monotonic() > stopped + 3 * SLICE_SECONDS and worker.lines("server_away"), what="a few drains"
    )
    own_servers.start_postgresql()
    wait_until(lambda: system.recorded() == 2, RESUMED_SECONDS, "the event published meanwhile")
    system.assert_exact(events)
    assert worker.is_running()
    assert beat.is_running()


def test_after_a_kill_its_entries_are_applied_within_min_idle_and_five_seconds(system: System) -> None:
    idle = 3.0
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    system.start_worker(2, reclaim_idle_seconds=idle)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        events.append(viewed(1, 1, 2, seconds=2))
        system.publish(events[-1:])
        system.wait_for_blocked_batch()
        (victim,) = system.pending()
        kill(pid_of(victim))
    wait_until(lambda: system.recorded() == 2, idle + RESUMED_SECONDS, "what the dead process had in hand")
    system.assert_exact(events)
