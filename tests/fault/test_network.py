"""The network between a worker and each of its servers resets, swallows, is slow, or delivers byte by byte.

A proxy does so on command while a load goes on, and counts; the test itself sees the servers directly. Redis is the
streams' and the broker's, beat's too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import oulad
from tests.support.load import Load
from tests.support.proxy import Mode, Proxy, proxy
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess

pytestmark = pytest.mark.parametrize("side", ["database_url", pytest.param("redis_url", marks=pytest.mark.second_tier)])


@contextmanager
def behind_a_proxy(
    system: System, side: str, processes: int = 2, **changes: object
) -> Iterator[tuple[Proxy, CeleryProcess]]:
    """A worker that is at work, and beat, which reach the server of that side through a proxy.

    Neither has ended, and no pool process was replaced, when the block ends.
    """
    with proxy(str(getattr(system.settings, side))) as network:
        # Entries whose answer was lost come from the consumer's own list, nobody else takes them over in time.
        changes |= {side: network.url, "batch_size": 200, "reclaim_idle_seconds": 600}
        worker, beat = system.start_worker(processes, **changes), system.start_beat(**changes)
        worker.wait_for_line("batch_recorded")
        pool = worker.pool_processes()
        yield network, worker
        assert beat.is_running()
        assert worker.is_running()
        assert worker.pool_processes() == pool


def test_reset_again_and_again_under_load_and_refused_the_rows_are_exact(system: System, side: str) -> None:
    lines = oulad.generate(5_000, learners=40)
    system.publish_bodies(lines[:100])
    with behind_a_proxy(system, side) as (network, worker):
        with Load(system.settings, lines[100:]) as load:
            for share in (0.1, 0.3, 0.5, 0.7, 0.9):
                load.wait_for(share)
                wait_until(network.reset, what="connections to reset")
            network.set(Mode.REFUSE)
            network.reset()
            wait_until(lambda: network.refused >= 3, what="attempts to connect")
            network.set(Mode.PASS)
        system.assert_exact(oulad.parse(lines))
        assert network.resets >= 5
        while not worker.lines("server_away"):  # between two commands a reset goes unseen, in one it does not
            wait_until(network.reset, what="connections to reset")


@pytest.mark.second_tier
def test_a_black_hole_is_noticed_within_the_timeouts(system: System, side: str) -> None:
    """One pool process, so that it has a connection when the hole opens, and work then."""
    lines = oulad.generate(2_000, learners=40)
    names = ("statement_timeout_seconds", "socket_timeout_seconds", "connect_timeout_seconds")
    # A tick of beat's is good for as long as its interval, and the one process is busy for a slice of two seconds.
    changes = dict.fromkeys(names, 1.0) | {"maintain_seconds": 3.0, "log_level": "DEBUG"}
    system.publish_bodies(lines[:1_000])
    with behind_a_proxy(system, side, 1, **changes) as (network, worker):
        network.set(Mode.SWALLOW)
        system.publish_bodies(lines[1_000:])
        silence = "silent" if side == "database_url" else "Timeout reading"
        wait_until(
            lambda: any(silence in str(line.get("detail")) for line in worker.lines()), 4, "a word about the silence"
        )
        assert network.swallowed
        network.set(Mode.PASS)  # for new connections; on those that are open nobody is ever heard again
        system.assert_exact(oulad.parse(lines))
        # Beat, the broker and the worker's main process have found each other again.
        worker.wait_for_line("maintained", 60, count=len(worker.lines("maintained")) + 2)


def test_over_a_slow_or_a_sliced_link_it_only_takes_longer(system: System, side: str) -> None:
    lines = oulad.generate(800)
    system.publish_bodies(lines[:100])
    with behind_a_proxy(system, side) as (network, worker):
        network.set(Mode.SLOW)
        system.publish_bodies(lines[100:400])
        system.assert_exact(oulad.parse(lines[:400]))
        network.set(Mode.SLICED)
        system.publish_bodies(lines[400:])
        system.assert_exact(oulad.parse(lines))
        assert network.delayed >= 10
        assert network.slices >= 1_000
        assert not worker.lines("server_away")
