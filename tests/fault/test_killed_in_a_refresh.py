"""Workers die in the middle of a refresh, two refresh at once, and late events come in between: rollups stay exact.

The moment is exact: the test holds the table that every refresh writes last, so runs stop with their enrollments
claimed, seen in `pg_locks`.
"""

import random

import pytest

from tests.support import oulad
from tests.support.load import Load
from tests.support.rollups import STALE, audited, wait_for_rollups
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until

REFRESHING = """
    SELECT pid FROM pg_locks
    WHERE relation = 'user_course_summary'::regclass AND mode = 'RowExclusiveLock' AND NOT granted
"""
QUICK: dict[str, object] = {"reclaim_idle_seconds": 1, "lease_seconds": 1, "summary_chunk": 3}


def test_two_runs_killed_with_their_enrollments_claimed_leave_them_to_the_next(system: System) -> None:
    lines = oulad.generate(3_000, learners=40)
    head, late = lines[:-500], lines[-500:]
    workers = [system.start_worker(2, **QUICK), system.start_worker(2, **QUICK)]
    system.start_beat(summary_seconds=0.2)
    system.publish_bodies(head)
    system.wait_until_drained()
    wait_for_rollups(system.engine)
    with system.locked("LOCK TABLE user_course_summary IN SHARE MODE"):
        system.publish_bodies(random.Random(3).sample(late[:250], 250))
        wait_until(lambda: len(rows(system.engine, REFRESHING)) >= 2, 20, "two runs in their transactions")
        for worker in workers:
            worker.kill()
        assert rows(system.engine, STALE) != [(0,)]
    system.publish_bodies(late[250:])
    survivor = system.start_worker(2, **QUICK)
    system.wait_until_drained()
    wait_for_rollups(system.engine)
    assert audited(system.engine) == []
    assert survivor.lines("refreshed")
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_workers_killed_at_random_while_they_refresh_under_load(system: System) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    lines = oulad.generate(8_000, learners=60)
    shuffled = lines[:61] + chance.sample(lines[61:], len(lines) - 61)
    workers = [system.start_worker(2, **QUICK), system.start_worker(2, **QUICK)]
    system.start_beat(summary_seconds=0.1)
    with Load(system.settings, shuffled, pause_seconds=0.06) as load:
        for share in sorted(chance.uniform(0.1, 0.9) for _ in range(4)):
            load.wait_for(share)
            at_work = wait_until(
                lambda: [number for number in (0, 1) if workers[number].lines("refreshed")],
                20,
                "a worker that refreshes",
            )
            number = chance.choice(at_work)
            workers[number].kill()
            workers[number] = system.start_worker(2, **QUICK)
    system.wait_until_drained()
    wait_for_rollups(system.engine)
    system.assert_exact(oulad.parse(lines))
