"""A worker's process dies at each step between Redis and PostgreSQL, and so does the one that takes over.

The moments are exact: the process kills itself there (`tests/support/crash_points.py`), which the marks of the dead
prove. Whoever takes over finds a log with every kind of bad entry in it, one that only PostgreSQL refuses included.
"""

from pathlib import Path

import pytest

from tests.support import oulad
from tests.support.crash_points import CrashPoint, CrashPoints
from tests.support.events import enrolled, viewed
from tests.support.streams import deliver
from tests.support.system import System
from tests.support.tables import execute, snapshot
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, is_alive
from worker.contract.event import CloudEvent
from worker.streams import read

QUICK: dict[str, object] = {"reclaim_idle_seconds": 0.5, "lease_seconds": 1}
BAD = [b"{no event", b'{"specversion":"1.0","data":null}']
REJECTED = {"invalid_json": 1, "invalid_event": 1, "data_error": 1}

HAS_BAD_ENTRIES = "any(letter.reason == 'invalid_json' for letter in arguments[1])"

NOTHING_IS_RECORDED_AGAIN = {
    "after the read": CrashPoint("after", "worker.streams.read:read_new", 2, "result"),
    "before COMMIT": CrashPoint("after", "worker.progress.ingest:record_batch", 2),
    "before COMMIT of dead letters": CrashPoint(
        "after", "worker.progress.dead_letters:store_dead_letters", 2, HAS_BAD_ENTRIES
    ),
    "after XACK": CrashPoint("after", "worker.streams.read:acknowledge", 2),
    "after XTRIM": CrashPoint("after", "worker.streams.trim:trim", 2, "result"),
}


def kill_and_compare(system: System, tmp_path: Path, point: CrashPoint) -> int:
    """Drain a log over two deaths at this point; how many events came again after they were committed."""
    execute(system.engine, "ALTER TABLE lesson_event ADD CONSTRAINT lms_rule CHECK (topic_id <> 13)")
    events = oulad.parse(oulad.generate(300))
    unknown, refused = viewed(999, 1, 1), viewed(7, 13, 1)
    system.publish_bodies(BAD)
    system.publish([*events[:30], refused, *events[30:], unknown])
    crash_points = CrashPoints(tmp_path, point)
    worker = start(system, crash_points)
    system.assert_exact([*events, unknown], rejected=REJECTED)
    assert_dead(crash_points, 2)
    return sum(line["repeated"] for line in worker.lines("batch_recorded"))


def start(system: System, crash_points: CrashPoints, **changes: object) -> CeleryProcess:
    """Two pool processes, as Celery may see a death only seconds later: what one leaves, the other takes over."""
    system.extra_environment |= crash_points.environment
    worker = system.start_worker(2, **(QUICK | changes))
    system.start_beat(summary_seconds=600, statistics_seconds=600, activity_seconds=600)
    return worker


def assert_dead(crash_points: CrashPoints, deaths: int) -> None:
    dead = crash_points.dead()
    assert len(set(dead)) == deaths
    assert not any(is_alive(pid) for pid in dead)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, id=name, marks=[] if name == "before COMMIT" else pytest.mark.second_tier)
        for name, point in NOTHING_IS_RECORDED_AGAIN.items()
    ],
)
def test_what_was_not_committed_or_was_acknowledged_is_recorded_once(
    system: System, tmp_path: Path, point: CrashPoint
) -> None:
    assert kill_and_compare(system, tmp_path, point) == 0


@pytest.mark.second_tier
def test_the_neighbors_of_an_entry_set_aside_come_again_when_it_does(system: System, tmp_path: Path) -> None:
    """The refused entry stands in `dead_letter`, some of its neighbors are committed, nothing is acknowledged."""
    assert kill_and_compare(system, tmp_path, CrashPoint("after", "worker.progress.ingest:store_dead_letters", 2)) > 0


def test_what_comes_again_writes_nothing(system: System, tmp_path: Path) -> None:
    """All in one batch, so that its commit is the last there is until it comes again."""
    learners = range(1, 9)
    events: list[CloudEvent] = [enrolled(learner) for learner in learners]
    events += [viewed(learner, 1, lesson) for learner in learners for lesson in range(1, 6)]
    system.publish(events)
    crash_points = CrashPoints(tmp_path, CrashPoint("before", "worker.streams.read:acknowledge"))
    worker = start(system, crash_points, reclaim_idle_seconds=2)
    wait_until(crash_points.dead, 20, "the death")
    assert system.recorded() == 40
    committed = snapshot(system.engine)
    assert {each["times_delivered"] for stream in system.keys.streams for each in system.delivered(stream)} == {1}
    system.wait_until_drained()
    assert snapshot(system.engine) == committed
    assert sum(line["repeated"] for line in worker.lines("batch_recorded")) == 48, "the views and the enrollments"
    system.assert_exact(events)


def test_who_dies_as_it_takes_over_from_the_dead_is_taken_over_from_in_turn(system: System, tmp_path: Path) -> None:
    lines = oulad.generate(300)
    plain = system.settings.stream_key
    system.publish_bodies(lines)
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    read.read_new(system.redis, system.keys.group, "dead-1-00000000", [plain], 1_000, None)
    wait_until(lambda: system.delivered(plain, 1)[0]["time_since_delivered"] >= 500, what="its age")
    crash_points = CrashPoints(tmp_path, CrashPoint("after", "worker.streams.read:reclaim", 2, "result[1]"))
    worker = start(system, crash_points)
    system.assert_exact(oulad.parse(lines))
    assert_dead(crash_points, 2)
    assert sum(line["entries"] for line in worker.lines("entries_reclaimed")) >= len(lines)


def test_a_poison_entry_dead_lettered_and_not_acknowledged_is_dead_lettered_once(
    system: System, tmp_path: Path
) -> None:
    """Three marks of dead processes make it a poison entry; two more die once it is in `dead_letter`."""
    lines = oulad.generate(40)
    (poison,) = system.publish_bodies([lines[-1]])
    stream, entry_id = system.settings.stream_key, poison.decode()
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    deliver(system.redis, stream, "dead-1-00000000", [entry_id], times=6)
    system.redis.sadd(system.keys.quarantine(stream, entry_id), "dead-1", "dead-2", "dead-3")
    system.publish_bodies(lines[:-1])
    crash_points = CrashPoints(tmp_path, CrashPoint("after", "worker.consume.quarantine:store_dead_letter", 2))
    worker = start(system, crash_points)
    system.assert_exact(oulad.parse(lines[:-1]), rejected={"crashes_worker": 1})
    assert_dead(crash_points, 2)
    assert len(worker.lines("poison_entry")) == 3
