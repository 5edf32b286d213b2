"""The reply to a blocking read never reaches anyone: Redis hands the entry to a process that is dead.

The process is stopped (SIGSTOP) while Redis itself lists its connection as blocked in XREADGROUP. What is published
then is delivered to that connection, counted as pending, and the process is killed without ever having seen it.
"""

import psutil

from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import frozen, kill, pid_of
from worker.contract.event import CloudEvent


def test_an_entry_delivered_to_a_dead_process_is_reclaimed(system: System) -> None:
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    worker = system.start_worker(1, block_seconds=0.9)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    holder = wait_until(lambda: system.holder(system.settings.stream_key) or "", what="the plain stream's consumer")
    pid = pid_of(holder)

    def is_delivered_to_the_stopped_process() -> bool:
        wait_until(lambda: somebody_is_blocked(system), what="a blocked read")
        with frozen(pid):
            if not somebody_is_blocked(system):
                return False
            events.append(viewed(1, 1, len(events), seconds=len(events)))
            system.publish(events[-1:])
            kill(pid)
        return True

    wait_until(is_delivered_to_the_stopped_process, what="a process stopped in its read")
    assert system.pending() == {holder: 1}
    system.assert_exact(events)
    (reclaimed,) = worker.wait_for_line("entries_reclaimed")
    assert reclaimed["entries"] == 1
    assert reclaimed["consumer"] != holder
    assert psutil.Process(worker.pid).is_running()


def somebody_is_blocked(system: System) -> bool:
    """A connection waits in XREADGROUP; there is one pool process, so it is that one's."""
    return any(client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in system.redis.client_list())
