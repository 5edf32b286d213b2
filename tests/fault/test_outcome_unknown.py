"""The connection is cut in the middle of a command, so that the worker cannot know whether it was carried out.

The moment is exact: a proxy reads the protocol. It either drops the command, or passes it on, waits for the server's
answer and drops that. No beat runs, so that nothing commits but batches.
"""

import pytest

from tests.support import oulad
from tests.support.proxy import COMMIT, Fate, proxy
from tests.support.system import System


@pytest.mark.parametrize(
    ("side", "command", "fate", "comes_again"),
    [
        pytest.param("database_url", COMMIT, Fate.LOST, False, marks=pytest.mark.second_tier),
        ("database_url", COMMIT, Fate.UNANSWERED, True),
        ("redis_url", b"XREADGROUP", Fate.UNANSWERED, False),
        pytest.param("redis_url", b"XACK", Fate.LOST, True, marks=pytest.mark.second_tier),
        pytest.param("redis_url", b"XACK", Fate.UNANSWERED, False, marks=pytest.mark.second_tier),
    ],
    ids=["COMMIT lost", "COMMIT unanswered", "XREADGROUP unanswered", "XACK lost", "XACK unanswered"],
)
def test_a_batch_counts_once(system: System, side: str, command: bytes, fate: Fate, comes_again: bool) -> None:
    lines = oulad.generate(1_559, learners=40)  # 1 600 lines
    with proxy(str(getattr(system.settings, side))) as network:
        # Only its own consumer can have a batch again, so every one is found repeated, or not.
        changes: dict[str, object] = {side: network.url, "batch_size": 200, "reclaim_idle_seconds": 600}
        worker = system.start_worker(1, **changes)
        system.publish_bodies(lines[:100])
        system.wait_until_drained()
        for number in range(1, 4):
            network.cut(command, fate)
            system.publish_bodies(lines[100 + 500 * (number - 1) : 100 + 500 * number])
            worker.wait_for_line("server_away", count=number)
        system.assert_exact(oulad.parse(lines))
        assert network.cuts == 3
    repeated = sum(line["repeated"] for line in worker.lines("batch_recorded"))
    assert (repeated > 0) is comes_again
