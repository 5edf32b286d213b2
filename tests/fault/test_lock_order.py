"""A batch and a session of the LMS want the same enrollments in opposite orders: they never wait in a circle.

The moment is exact: the test is the session. It holds the lowest enrollment of a batch whose entries name enrollments
from the highest down; had the batch taken the others and waited for that one, the session, which then asks for them
all, and the batch would be a deadlock.
"""

from sqlalchemy import text

from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import insert_as_lms
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent

DOWNWARDS = range(56, 0, -1)
"""Seven for each of the eight partitions, as many as are read at first: one batch."""


def test_a_batch_does_not_wait_for_its_lowest_enrollment(system: System) -> None:
    insert_as_lms(system.engine, *DOWNWARDS)
    events: list[CloudEvent] = [viewed(number, 1, 1) for number in DOWNWARDS]
    system.publish(events)
    with system.locked("SELECT FROM user_course WHERE id = 1 FOR UPDATE") as other:
        worker = system.start_worker(1, lock_timeout_seconds=20)
        system.start_beat()
        wait_until(lambda: system.recorded() == len(DOWNWARDS) - 1, 20, "every event but one")
        other.execute(text("SELECT FROM user_course ORDER BY id FOR UPDATE"))
    system.assert_exact(events, lms_rows=dict.fromkeys(DOWNWARDS, (70, 30)))
    assert not worker.lines("server_away")


def test_a_batch_that_waits_to_insert_its_lowest_enrollment_has_inserted_no_other(system: System) -> None:
    events: list[CloudEvent] = [enrolled(number) for number in DOWNWARDS]
    system.publish(events)
    insert = "INSERT INTO user_course (id, user_id, course_id) SELECT number, 70, 30"
    with system.locked(f"{insert} FROM generate_series(1, 1) AS number") as other:
        system.start_worker(1, lock_timeout_seconds=20)
        system.start_beat()
        system.wait_for_blocked_batch()
        assert sum(system.pending().values()) == len(DOWNWARDS), "not all in the batch that waits"
        other.execute(text(f"{insert} FROM generate_series(2, {len(DOWNWARDS)}) AS number"))
    system.assert_exact(events)
