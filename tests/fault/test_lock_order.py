"""Two batches want the same enrolments in opposite orders: one waits for the other, they never wait in a circle.

The moment is exact: the test is the other batch. It holds the lowest enrolment; the worker's batch, whose entries name
enrolments from the highest down and whose rows lie so in their table, is seen waiting for that one. Had it taken any
other before, the test would now wait for it, and the two would be a deadlock.
"""

from sqlalchemy import text

from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import insert_as_lms
from worker.domain.event import CloudEvent

DOWNWARDS = range(56, 0, -1)
"""Seven for each of the eight partitions, as many as are read at first: one batch."""


def wait_for_the_batch(system: System) -> None:
    system.start_worker(1, lock_timeout_seconds=20)
    system.start_beat()
    system.wait_for_blocked_batch()
    assert sum(system.pending().values()) == len(DOWNWARDS), "not all in the batch that waits"


def test_a_batch_that_waits_for_its_lowest_enrolment_has_locked_no_other(system: System) -> None:
    insert_as_lms(system.engine, *DOWNWARDS)
    events: list[CloudEvent] = [viewed(number, 1, 1) for number in DOWNWARDS]
    system.publish(events)
    with system.locked("SELECT FROM user_course WHERE id = 1 FOR UPDATE") as other:
        wait_for_the_batch(system)
        other.execute(text("SELECT FROM user_course ORDER BY id FOR UPDATE"))
    system.assert_exact(events, lms_rows=dict.fromkeys(DOWNWARDS, (70, 30)))


def test_a_batch_that_waits_to_insert_its_lowest_enrolment_has_inserted_no_other(system: System) -> None:
    events: list[CloudEvent] = [enrolled(number) for number in DOWNWARDS]
    system.publish(events)
    insert = "INSERT INTO user_course (id, user_id, course_id) SELECT number, 70, 30"
    with system.locked(f"{insert} FROM generate_series(1, 1) AS number") as other:
        wait_for_the_batch(system)
        other.execute(text(f"{insert} FROM generate_series(2, {len(DOWNWARDS)}) AS number"))
    system.assert_exact(events)
