"""Duplicates, a reversed stream, enrollments after their events, one learner everywhere: the rows do not show it."""

import random

import pytest

from tests.support import oulad
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import rows
from worker.contract.event import CloudEvent


def test_duplicated_and_shuffled_over_all_streams_it_counts_once(system: System) -> None:
    lines = oulad.generate(3_000, learners=40)
    chance = random.Random(11)
    sent = [*lines, *chance.choices(lines, k=1_000), *lines[:500]]
    chance.shuffle(sent)
    for number, stream in enumerate(system.keys.streams):
        system.publish_bodies(sent[number :: len(system.keys.streams)], stream)
    worker = system.start_worker(4)
    system.start_beat()
    system.assert_exact(oulad.parse(lines))
    spent = "SELECT coalesce(sum(duration_seconds), 0) FROM lesson_event"
    expected = sum(getattr(event.data, "duration_seconds", None) or 0 for event in oulad.parse(lines))
    assert rows(system.engine, spent) == [(expected,)]
    repeated = sum(line["repeated"] for line in worker.lines("batch_recorded"))
    assert repeated > 0, "no duplicate arrived as one"


def test_reversed_with_every_enrollment_after_its_events_it_ends_the_same(system: System) -> None:
    lines = oulad.generate(4_000, learners=40)
    system.publish_bodies(reversed(lines))
    worker = system.start_worker(2)
    system.start_beat()
    system.assert_exact(oulad.parse(lines))
    parked = sum(line["parked"] for line in worker.lines("batch_recorded"))
    assert parked > 1_000, "the events did not come first"
    assert worker.lines("parked_events_applied")


def test_events_of_an_enrollment_that_never_comes_stay_parked_beside_the_others(system: System) -> None:
    events: list[CloudEvent] = [viewed(1, 1, 1), enrolled(1), *(viewed(2, 1, number) for number in range(1, 50))]
    system.start_worker(2)
    system.start_beat()
    system.publish(events)
    system.assert_exact(events)
    assert system.dead_letters() == {"unknown_enrollment": 49}


@pytest.mark.second_tier
def test_nine_events_in_ten_on_one_enrollment_from_every_stream_at_once_meet_no_deadlock(system: System) -> None:
    """A hot key on the wrong partitions: every consumer wants the same rows all the time."""
    lines = oulad.generate(9_000, learners=1) + oulad.generate(1_000, learners=30, seed=2, first_id=1)
    random.Random(5).shuffle(lines)
    for number, stream in enumerate(system.keys.streams):
        system.publish_bodies(lines[number :: len(system.keys.streams)], stream)
    workers = [system.start_worker(2, batch_size=100) for _ in range(2)]
    system.start_beat()
    system.assert_exact(oulad.parse(lines), seconds=60)
    consumers = {line["consumer"] for worker in workers for line in worker.lines("batch_recorded")}
    assert len(consumers) >= 2, "one consumer did it all: nothing could meet"
