"""A worker dies between reading a batch and COMMIT.

The moment is exact without a hook: the test locks `lesson_event` against inserts, so the batch stops in the middle of
its transaction, seen in `pg_stat_activity`, and the process whose consumer has the entries pending is killed there.
"""

import pytest

from tests.support import oulad
from tests.support.system import System
from tests.support.worker_process import kill, pid_of


def test_a_batch_that_dies_in_its_transaction_is_taken_over_and_counts_once(system: System) -> None:
    lines = oulad.generate(600)
    bad = b"{no event"
    worker = system.start_worker(2)
    system.start_beat()
    head, rest = lines[:21], lines[21:]
    system.publish_bodies(head)
    system.assert_exact(oulad.parse(head))
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies([rest[0], bad, *rest[1:]])
        system.wait_for_blocked_batch()
        (victim,) = system.pending()
        kill(pid_of(victim))
        assert system.recorded() == 0
        assert system.dead_letters() == {}
        delivered = system.pending()[victim]
        assert delivered + system.unread() == len(rest) + 1, "something was acknowledged"
    system.assert_exact(oulad.parse(lines), rejected={"invalid_json": 1})
    reclaimed = worker.wait_for_line("entries_reclaimed")
    assert sum(line["entries"] for line in reclaimed) == delivered
    assert victim not in {line["consumer"] for line in reclaimed}


@pytest.mark.second_tier
def test_one_that_takes_over_and_dies_too_is_taken_over_in_turn(system: System) -> None:
    lines = oulad.generate(300)
    worker = system.start_worker(2, reclaim_idle_seconds=0.5)
    system.start_beat()
    victims: set[str] = set()
    for _ in range(3):
        with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
            if not victims:
                system.publish_bodies(lines)
            system.wait_for_blocked_batch()
            (victim,) = system.pending().keys() - victims  # the dead one before it may hold some still
            kill(pid_of(victim))
            victims.add(victim)
            assert system.recorded() == 0
    system.assert_exact(oulad.parse(lines))
    assert len(victims) == 3
    assert len(worker.wait_for_line("entries_reclaimed", count=3)) >= 3
