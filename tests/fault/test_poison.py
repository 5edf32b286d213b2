"""Bad entries among good ones, and nothing but bad ones: each set aside for the right reason, neighbors applied."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import oulad
from tests.support.events import as_json, body, enrolled, viewed
from tests.support.system import System
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent

Poison = tuple[bytes, str]


def bent(**changes: Any) -> bytes:
    """A valid event with some members of its envelope replaced."""
    return json.dumps({**as_json(viewed(1, 1, 1)), **changes}).encode()


def bent_data(**changes: Any) -> bytes:
    """A valid event with some members of its data replaced."""
    event = as_json(viewed(1, 1, 1))
    event["data"] |= changes
    return json.dumps(event).encode()


def poison() -> list[Poison]:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return [
        (b"{not json", "invalid_json"),
        (b"\xff\xfe\x00", "invalid_json"),
        (b"", "invalid_json"),
        (b"[" * 5_000, "invalid_json"),
        (body(viewed(1, 1, 1)).replace(b"lesson.viewed", b"lesson.\xffviewed"), "invalid_json"),
        (b"[1, 2]", "invalid_event"),
        (b"null", "invalid_event"),
        (bent(data=None), "invalid_event"),
        (bent(id=""), "invalid_event"),
        (bent_data(topic_id=None), "invalid_event"),
        (bent_data(topic_id=2**31), "invalid_event"),
        (bent_data(user_course_id=2**63), "invalid_event"),
        (bent_data(user_course_id=10**400), "invalid_event"),
        (bent_data(lesson_id="1"), "invalid_event"),
        (bent_data(lesson_id=1.5), "invalid_event"),
        (bent(id="0" * 32), "invalid_event"),
        (bent(time="2025-07-14T10:30:00"), "invalid_event"),
        (bent(time=1_752_000_000), "invalid_event"),
        (
            bent(type="enrollment.created", data={"user_course_id": 9, "user_id": 1.0, "course_id": 1}),
            "invalid_event",
        ),
        (bent(time="9999-12-31T23:59:59Z"), "time_out_of_range"),
        (bent(time=tomorrow), "time_out_of_range"),
        (bent(time="1979-12-31T23:59:59Z"), "time_out_of_range"),
        (bent(type="lesson.skipped"), "unknown_type"),
        (bent(padding="x" * 70_000), "too_large"),
        (bent(padding="x" * 5_000_000), "too_large"),
    ]


@pytest.mark.second_tier
def test_one_in_a_thousand_harms_no_neighbor(system: System) -> None:
    lines = oulad.generate(20_000, learners=40)
    planted = poison()[:20]
    mixed: list[bytes] = [*lines]
    chance = random.Random(7)
    for bad, _ in planted:
        mixed.insert(chance.randrange(len(mixed)), bad)
    system.publish_bodies(mixed)
    system.start_worker(2)
    system.start_beat()
    system.assert_exact(oulad.parse(lines), rejected=Counter(reason for _, reason in planted))


def test_nothing_but_poison_is_set_aside_byte_for_byte_and_the_worker_goes_on(system: System) -> None:
    planted = poison()
    system.start_worker(2)
    system.start_beat()
    for _ in range(20):
        system.publish_bodies([bad for bad, _ in planted if len(bad) < 1_000_000])
    system.publish_bodies([bad for bad, _ in planted if len(bad) >= 1_000_000])
    system.redis.xadd(system.settings.stream_key, {"other": "field"})
    expected = Counter({"missing_field": 1})
    bytes_expected: Counter[tuple[str, bytes | None]] = Counter({("missing_field", None): 1})
    for bad, reason in planted:
        times = 20 if len(bad) < 1_000_000 else 1
        expected[reason] += times
        bytes_expected[reason, bad] += times
    system.assert_exact([], rejected=expected)
    assert Counter(rows(system.engine, "SELECT reason, body FROM dead_letter")) == bytes_expected
    good: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    system.publish(good)
    system.assert_exact(good, rejected=expected)


def test_a_bad_event_that_waited_for_its_enrollment_harms_neither_it_nor_the_others(system: System) -> None:
    execute(system.engine, "ALTER TABLE lesson_event ADD CONSTRAINT lms_rule CHECK (topic_id <> 13)")
    early: list[CloudEvent] = [viewed(1, 1, 1), viewed(1, 1, 2)]
    system.start_worker(2)
    system.start_beat()
    system.publish([*early, viewed(1, 13, 1)])
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 3}, what="three parked events")
    enrollment: list[CloudEvent] = [enrolled(1), viewed(1, 1, 3)]
    system.publish(enrollment)
    system.assert_exact([*early, *enrollment], rejected={"data_error": 1})


def test_what_postgresql_itself_refuses_is_found_among_its_neighbors(system: System) -> None:
    """A constraint of the LMS's, unknown to us, refuses single events: SQLSTATE 23, the batch is bisected."""
    execute(system.engine, "ALTER TABLE lesson_event ADD CONSTRAINT lms_rule CHECK (topic_id <> 13)")
    lines = oulad.generate(2_000)
    refused = [body(viewed(1, 13, number)) for number in range(1, 4)]
    mixed = [*lines[:500], refused[0], *lines[500:1_200], *refused[1:], *lines[1_200:]]
    system.publish_bodies(mixed)
    system.start_worker(2)
    system.start_beat()
    system.assert_exact(oulad.parse(lines), rejected={"data_error": 3})
    stored = rows(system.engine, "SELECT body, detail FROM dead_letter")
    assert Counter(each for each, _ in stored) == Counter(refused)
    assert all("lms_rule" in detail for _, detail in stored)
