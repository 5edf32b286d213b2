"""Somebody takes entries from the streams before anyone has recorded them: they are counted and told."""

import json
import os
import signal

import pytest

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, pid_of
from worker.contract.entry import FIELD


def told(worker: CeleryProcess) -> int:
    """How many entries the worker has said to have vanished."""
    return sum(line["entries"] for line in worker.lines("entries_vanished"))


@pytest.mark.second_tier
def test_what_a_publisher_with_maxlen_took_is_told_exactly(system: System) -> None:
    plain = system.settings.stream_key
    lines = oulad.generate(5_000, learners=40)
    for line in lines:
        system.redis.xadd(plain, {FIELD: line}, maxlen=1_004, approximate=False)
    assert system.redis.xlen(plain) == 1_004
    worker = system.start_worker(2)
    system.start_beat()
    lost = len(lines) - 1_004
    wait_until(lambda: told(worker) == lost, 20, "the warning")
    system.wait_until_drained()

    environment = system.environment()
    shown = {each["stream"]: each for each in json.loads(invoke(environment, "status", "--json").stdout)["streams"]}
    assert (shown[plain]["acknowledged"], shown[plain]["vanished"]) == (1_004, lost)
    assert {each["vanished"] for stream, each in shown.items() if stream != plain} == {0}
    assert f"{lost:,} entries of {plain} vanished" in invoke(environment, "status").stdout
    assert f'progress_stream_vanished{{stream="{plain}"}} {lost}.0' in invoke(environment, "metrics").stdout
    assert told(worker) == lost, "it was told twice"


@pytest.mark.second_tier
def test_what_is_deleted_with_a_worker_frozen_is_told_and_what_its_death_leaves_behind_is_not(system: System) -> None:
    plain = system.settings.stream_key
    lines = oulad.generate(1_000, learners=40)
    first = system.start_worker(1)
    system.publish_bodies(lines[:200])
    system.assert_exact(oulad.parse(lines[:200]))
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines[200:400])
        system.wait_for_blocked_batch()
        (victim,) = system.pending()
        os.kill(pid_of(victim), signal.SIGSTOP)
        in_hand = system.pending()[victim]
        unread = system.publish_bodies(lines[400:])
        system.redis.xdel(plain, *unread[:70])
        first.kill()
    worker = system.start_worker(2)
    system.start_beat()
    wait_until(lambda: told(worker) == 70, 20, "the warning")
    system.wait_until_drained()
    assert in_hand
    assert told(worker) == 70
    assert system.recorded() + sum(system.dead_letters().values()) <= len(lines) - 70
