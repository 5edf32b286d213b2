"""A whole course's log, in order and shuffled, again, with pool processes killed meanwhile: always the same rows."""

import json
import random
from functools import cache, partial

import pytest

from tests.support import oulad
from tests.support.profile import is_thorough
from tests.support.rollups import wait_for_rollups
from tests.support.system import System
from tests.support.tables import snapshot
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, kill, pid_of
from worker.contract.event import Event

pytestmark = pytest.mark.second_tier

FIRST_SEED = 20_130_315


@cache
def log(*, real: bool = False) -> tuple[list[dict[str, object]], list[Event]]:
    """The log as a publisher has it and as events; each is read once for all tests."""
    lines = oulad.load(real=real or is_thorough)
    return [json.loads(line) for line in lines], oulad.parse(lines)


def shuffled(messages: list[dict[str, object]], seed: int = FIRST_SEED) -> list[dict[str, object]]:
    return random.Random(seed).sample(messages, len(messages))


def replay_twice(
    system: System, first: list[dict[str, object]], second: list[dict[str, object]], events: list[Event]
) -> None:
    """Equal to the model after the first time; not one row written anew by the second."""
    system.publish(first)
    worker = system.start_worker(4, slice_seconds=10, reclaim_idle_seconds=30, batch_size=2_000)
    system.start_beat()
    system.assert_exact(events, seconds=60)
    wait_for_rollups(system.engine)
    before = snapshot(system.engine)
    lines = len(worker.lines("batch_recorded"))
    system.publish(second)
    wait_until(lambda: len(worker.lines("batch_recorded")) > lines, what="the second replay")
    system.wait_until_drained(60)
    assert snapshot(system.engine) == before
    repeated = sum(line["repeated"] for line in worker.lines("batch_recorded")[lines:])
    assert repeated == len(events)


def test_shuffled_into_an_empty_database_and_then_in_order(system: System) -> None:
    messages, events = log(real=True)
    replay_twice(system, shuffled(messages), messages, events)


def test_in_order_into_an_empty_database_and_then_shuffled(system: System) -> None:
    messages, events = log()
    replay_twice(system, messages, shuffled(messages), events)


def is_down_to(system: System, unread: float) -> bool:
    return system.unread() <= unread


def consuming(system: System, worker: CeleryProcess) -> list[int]:
    """The pool processes that hold leases or entries; those that were killed no longer count."""
    holders = {holder for stream in system.keys.streams if (holder := system.holder(stream))}
    pids = {pid_of(consumer) for consumer in holders | set(system.pending())}
    return sorted(pids & {process.pid for process in worker.pool_processes()})


def test_with_ten_pool_processes_killed_at_random_moments(system: System) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    messages, events = log()
    system.publish(shuffled(messages, seed))
    worker = system.start_worker(4, batch_size=1_000, reclaim_idle_seconds=3, lease_seconds=1)
    system.start_beat()
    caught, killed = 0, set()
    for left in sorted((chance.uniform(0.1, 0.95) for _ in range(10)), reverse=True):
        wait_until(partial(is_down_to, system, left * len(messages)), 60, "the next moment to kill")
        victim = chance.choice(wait_until(lambda: consuming(system, worker), 20, "a process at work"))
        caught += any(pid_of(consumer) == victim for consumer in system.pending())
        kill(victim)
        killed.add(victim)
    system.assert_exact(events, seconds=90)
    assert len(killed) == 10
    assert caught, "no kill left anything pending: nothing was tested"
    assert worker.lines("entries_reclaimed")
