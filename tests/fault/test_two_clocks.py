"""Hosts whose clocks differ or are set: a worker reads by its own monotonic clock, beat sends by its own."""

from pathlib import Path

import pytest
from celery import Celery

from tests.support import oulad
from tests.support.events import enrolled, viewed
from tests.support.load import Load
from tests.support.other_clock import OtherClock
from tests.support.system import System
from tests.support.tables import insert_as_lms, rows
from tests.support.wait import wait_until
from tests.support.worker_process import kill
from worker import liveness
from worker.contract.event import CloudEvent

RESUMED_SECONDS = 10.0


@pytest.mark.parametrize("behind", [None, 8, 50], ids=["no beat", "beat 8 s behind", "beat 50 s behind"])
@pytest.mark.second_tier
def test_with_both_pool_processes_killed_under_load_reading_goes_on(
    system: System, tmp_path: Path, behind: float | None
) -> None:
    """With the default interval of wake-ups."""
    lines = oulad.generate(4_000)
    if behind:
        with OtherClock(tmp_path / "clock", -behind).rules(system):
            system.start_beat()
    worker = system.start_worker(2, wake_up_seconds=1)
    with Load(system.settings, lines) as load:
        load.wait_for(0.3)
        worker.wait_for_line("batch_recorded")
        for process in worker.pool_processes():
            kill(process.pid)
        recorded = system.recorded()
        wait_until(lambda: system.recorded() > recorded + 100, RESUMED_SECONDS, "more rows after the kill")
        live, why = liveness.live(system.settings.runtime_directory, system.settings.silent_seconds)
        assert live, why
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()


def test_a_worker_50_s_ahead_of_beat_keeps_rollups_and_sweeps_parked_events(system: System, tmp_path: Path) -> None:
    """By the default intervals its messages used to be good for up to 40 s."""
    events: list[CloudEvent] = [viewed(1, 1, 1)]
    with OtherClock(tmp_path / "clock", -50).rules(system):
        system.start_beat()
    worker = system.start_worker(2)
    system.publish(events)
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 1}, 20, "the parked event")
    insert_as_lms(system.engine, 1)
    wait_until(lambda: not system.dead_letters(), 30, "the sweep")
    wait_until(lambda: rows(system.engine, "SELECT count(*) FROM user_course_summary") == [(1,)], 30, "the summary")
    assert not worker.lines("task_discarded")
    system.assert_exact(events, lms_rows={1: (70, 30)})


@pytest.mark.second_tier
def test_a_clock_set_back_an_hour_or_400_days_ahead_neither_stops_nor_hurries_beat(
    system: System, tmp_path: Path
) -> None:
    clock = OtherClock(tmp_path / "clock", 0)
    with clock.rules(system):
        system.start_beat(maintain_seconds=1)
    worker = system.start_worker(2, log_level="DEBUG")
    worker.wait_for_line("maintained", count=2)
    for ahead in (-3_600, 400 * 86_400):
        clock.set(ahead)
        before = len(worker.lines("maintained"))
        lines = worker.wait_for_line("maintained", 30, count=before + 4)[before:]
        assert len({line["timestamp"][:19] for line in lines}) >= 3, "several a second"


def test_what_celery_throws_away_is_a_warning(system: System) -> None:
    worker = system.start_worker(1, slice_seconds=0.5)
    app = Celery(broker=system.settings.redis_url)
    sent = app.send_task("progress.lesson_viewed", expires=-1, queue=system.settings.queue)
    app.close()
    (line,) = worker.wait_for_line("task_discarded")
    assert line | {"level": "warning", "task": "progress.lesson_viewed", "id": sent.id, "reason": "expired"} == line


@pytest.mark.parametrize(
    "pool", ["prefork", *(pytest.param(each, marks=pytest.mark.second_tier) for each in ("solo", "threads"))]
)
def test_whatever_became_of_a_drain_and_its_message_the_worker_begins_another(system: System, pool: str) -> None:
    """No drain runs, and the queue is emptied: nothing but the worker's own clock is left."""
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1)]
    worker = system.start_worker(1, "--pool", pool, slice_seconds=0.2)
    system.publish(events[:1])
    system.wait_until_drained()
    app = Celery(broker=system.settings.redis_url)
    app.conf.control_exchange = system.settings.stream_key
    control = app.control
    control.cancel_consumer(system.settings.queue, reply=True, limit=1, timeout=5)
    wait_until(lambda: system.holder(system.settings.stream_key) is None, 90, "the end of the last drain")
    system.redis.delete(system.settings.queue)
    control.add_consumer(system.settings.queue, reply=True, limit=1, timeout=5)
    app.close()
    system.publish(events[1:])
    system.assert_exact(events)
    assert worker.stop()[0] == 0
