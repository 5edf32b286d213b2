"""A worker's process dies around the naming of new names: the same numbers when the events come again, exact rows."""

from pathlib import Path

import pytest

from tests.support.crash_points import CrashPoint, CrashPoints
from tests.support.named import named_completed, named_enrolled, named_outlined, named_viewed
from tests.support.named_model import NamedModel, assert_equals_named_model
from tests.support.rollups import audited
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from tests.support.worker_process import is_alive
from worker.contract.named_event import NamedEvent

MOMENTS = {
    "after the commit of the names": CrashPoint("after", "worker.progress.ingest:resolve", 2),
    "with the names in an open transaction": CrashPoint("after", "worker.identity.resolve:allocate", 2),
    "with an outline's in an open transaction": CrashPoint("after", "worker.identity.resolve:name_outline", 2),
    "between two statements": CrashPoint("before", "worker.identity.allocate:name_lessons", 2),
    "before COMMIT of the batch": CrashPoint("after", "worker.progress.ingest:record_batch", 2),
    "before XACK": CrashPoint("before", "worker.streams.read:acknowledge", 2),
}
OUTLINES: list[NamedEvent] = [named_outlined(f"c{n}", ["l0", {"lesson": "l1", "aliases": ["q1"]}]) for n in range(3)]
EVENTS: list[NamedEvent] = [
    *(named_viewed(f"u{n % 17}", f"l{n % 5}", f"c{n % 3}", seconds=n) for n in range(120)),
    *(named_completed(f"u{n}", "q1", f"c{n % 3}", seconds=200 + n) for n in range(17)),
    *(named_enrolled(f"u{n}", f"c{n % 3}", timezone="Asia/Tokyo", seconds=-9) for n in range(9)),
]


@pytest.mark.second_tier
@pytest.mark.parametrize("point", MOMENTS.values(), ids=MOMENTS)
def test_a_death_around_the_naming_changes_no_number_and_no_row(
    system: System, tmp_path: Path, point: CrashPoint
) -> None:
    crash_points = CrashPoints(tmp_path, point)
    system.extra_environment |= crash_points.environment
    system.publish([*OUTLINES, *EVENTS])
    system.start_worker(2, reclaim_idle_seconds=0.5, lease_seconds=1)
    system.start_beat()
    wait_until(lambda: len(crash_points.dead()) == 2, 60, "two deaths")
    system.wait_until_drained()
    assert len(set(crash_points.dead())) == 2
    assert not any(is_alive(pid) for pid in crash_points.dead())
    system.wait_for_current_rollups()
    model = NamedModel()
    model.deliver(OUTLINES)
    model.deliver(EVENTS)
    assert_equals_named_model(system.engine, model)
    assert audited(system.engine) == []
    assert system.deadlocks() == 0
    assert rows(system.engine, "SELECT count(*) FROM external_id WHERE kind = 'lesson'") == [(3 * 6,)]
