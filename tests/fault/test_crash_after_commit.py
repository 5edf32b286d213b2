"""A worker dies after COMMIT and before XACK.

The moment is exact without a hook: while the batch waits in its transaction for a lock of the test, the Redis server is
told to hold back every command that writes (CLIENT PAUSE … WRITE). Then the lock goes, the batch commits, its rows
are seen, and its XACK hangs; there the process is killed, so that the held back XACK goes with its connection.

The pause holds for the whole server, so this test has a Redis of its own.
"""

import psutil

from tests.support import oulad
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.tables import snapshot
from tests.support.wait import wait_until
from tests.support.worker_process import kill, pid_of


def test_what_was_committed_but_not_acknowledged_comes_again_and_changes_nothing(
    own_redis_system: System, own_servers: OwnServers
) -> None:
    system = own_redis_system
    events = oulad.generate(600)
    head, lines = events[:21], events[21:]
    worker = system.start_worker(2)
    system.start_beat()
    system.publish_bodies(head)
    system.assert_exact(oulad.parse(head))

    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines[:200])
        system.wait_for_blocked_batch()
        (victim,) = system.pending()
        delivered = system.pending()[victim]
        system.redis.client_pause(60_000, all=False)
    wait_until(lambda: system.recorded() == delivered, what="the commit")
    ends = connections(system, pid_of(victim))
    kill(pid_of(victim))
    wait_until(lambda: not ends & connected(system), what="Redis' notice that it is gone")
    committed = snapshot(system.engine)
    system.redis.client_unpause()
    assert system.pending()[victim] == delivered, "the acknowledgement came through"

    system.wait_until_drained()
    repeated = [line for line in worker.lines("batch_recorded") if line["repeated"]]
    assert sum(line["repeated"] for line in repeated) == delivered
    assert victim not in {line["consumer"] for line in repeated}
    if delivered == 200:
        assert snapshot(system.engine) == committed, "the second time something was written"
    system.publish_bodies(lines[200:])
    system.assert_exact(oulad.parse(events))
    assert own_servers.valkey_is_running()


def connections(system: System, pid: int) -> set[str]:
    """The process's ends of its connections to Redis."""
    local = {f"{each.laddr.ip}:{each.laddr.port}" for each in psutil.Process(pid).net_connections("tcp")}
    found = local & connected(system)
    assert found
    return found


def connected(system: System) -> set[str]:
    return {client["addr"] for client in system.redis.client_list()}
