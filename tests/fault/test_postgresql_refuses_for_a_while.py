"""Timeouts, a cut in mid-batch, provoked by another session: retried, nothing is dead-lettered."""

import pytest

from tests.support import oulad
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"lock_timeout_seconds": 0.3}, "lock timeout"),
        ({"statement_timeout_seconds": 0.5, "lock_timeout_seconds": 30}, "statement timeout"),
    ],
    ids=["lock timeout", "statement timeout"],
)
@pytest.mark.second_tier
def test_a_timeout_is_retried_until_the_lock_is_gone(system: System, changes: dict[str, object], detail: str) -> None:
    lines = oulad.generate(400)
    worker = system.start_worker(2, **changes)
    system.start_beat()
    system.publish_bodies(lines[:100])
    system.assert_exact(oulad.parse(lines[:100]))
    with system.locked("LOCK TABLE user_course IN EXCLUSIVE MODE"):
        system.publish_bodies(lines[100:])
        away = worker.wait_for_line("server_away", count=3)
        assert all(detail in line["detail"] for line in away)
        assert sum(system.pending().values()) > 0
        assert system.dead_letters() == {}
    system.assert_exact(oulad.parse(lines))


def test_a_backend_terminated_in_mid_batch_loses_and_doubles_nothing(system: System) -> None:
    lines = oulad.generate(600)
    worker = system.start_worker(2, reclaim_idle_seconds=600)  # so that only its own consumer can have it again
    system.start_beat()
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines)
        for number in range(1, 4):
            (backend, *_) = system.wait_for_blocked_batch()
            assert rows(system.engine, "SELECT pg_terminate_backend(:pid)", pid=backend) == [(True,)]
            away = worker.wait_for_line("server_away", count=number)
        assert system.recorded() == 0
        assert sum(system.pending().values()) > 0
    assert any("terminating connection" in line["detail"] for line in away)
    system.assert_exact(oulad.parse(lines))


@pytest.mark.second_tier
def test_after_a_lock_on_the_whole_table_everything_is_applied_within_seconds(system: System) -> None:
    """Also what was delivered so often meanwhile that it is tried alone, and what ended drains have in hand."""
    lines = oulad.generate(200)
    system.start_worker(2, lock_timeout_seconds=0.1, backoff_seconds=0.2, slice_seconds=1, reclaim_idle_seconds=30)
    system.start_beat()
    system.publish_bodies(lines[:100])
    system.assert_exact(oulad.parse(lines[:100]))
    with system.locked("LOCK TABLE user_course IN SHARE MODE"):
        system.publish_bodies(lines[100:])
        stream = system.settings.stream_key
        wait_until(lambda: any(each["times_delivered"] > 6 for each in system.delivered(stream)), 20, "deliveries")
    wait_until(system.is_drained, 8, "everything, well within the 30 s that the dead are waited for")
    system.assert_exact(oulad.parse(lines))
