"""Redis is full (`maxmemory`, `noeviction`): the publisher is told, consumers go on, nothing unread is trimmed."""

import subprocess
import sys

import pytest
from redis import OutOfMemoryError

from tests.support import oulad
from tests.support.events import enrolled
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess
from worker.settings import Settings
from worker.streams import read


@pytest.fixture
def system(own_redis_system: System, settings: Settings) -> System:
    """Streams on the module's Valkey, Celery's broker on the session's."""
    own_redis_system.settings = own_redis_system.settings.model_copy(update={"broker_url": settings.redis_url})
    return own_redis_system


def fill(system: System) -> None:
    system.redis.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        system.publish([enrolled(500)])


def refusals(system: System) -> int:
    return int(system.redis.info("errorstats").get("errorstat_OOM", {}).get("count", 0))


@pytest.mark.second_tier
def test_with_a_broker_of_its_own_the_backlog_drains_also_with_workers_started_then(system: System) -> None:
    lines = oulad.generate(3_000)
    worker = system.start_worker(2)
    system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    worker.kill()
    system.publish_bodies(lines[500:])
    fill(system)
    try:
        refused = refusals(system)
        system.start_worker(2)
        system.assert_exact(oulad.parse(lines))
        assert refusals(system) > refused, "no worker met the full Redis"
    finally:
        system.redis.config_set("maxmemory", 0)
    more = [enrolled(500)]
    system.publish(more)
    system.assert_exact([*oulad.parse(lines), *more])


def test_filling_up_under_a_running_worker_stops_nothing(system: System) -> None:
    lines = oulad.generate(3_000)
    system.start_worker(2)
    system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines[500:])
        system.wait_for_blocked_batch()
        fill(system)
        refused = refusals(system)
    try:
        system.assert_exact(oulad.parse(lines))
        wait_until(lambda: refusals(system) > refused, what="a worker that meets the full Redis")
    finally:
        system.redis.config_set("maxmemory", 0)


@pytest.mark.second_tier
def test_on_a_shared_one_the_drain_command_empties_it(own_redis_system: System, own_servers: OwnServers) -> None:
    system = own_redis_system
    lines = oulad.generate(3_000)
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    system.publish_bodies(lines)
    fill(system)
    try:
        environment = system.environment() | {"PROGRESS_BROKER_URL": own_servers.redis_url}
        finished = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", "drain"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        system.assert_exact(oulad.parse(lines))
    finally:
        system.redis.config_set("maxmemory", 0)


@pytest.mark.second_tier
def test_on_a_shared_one_the_workers_outlive_it(own_redis_system: System) -> None:
    """Celery takes a message and is refused to note that it did; with room again the same processes go on."""
    system = own_redis_system
    lines = oulad.generate(3_000)
    worker, beat = system.start_worker(1, slice_seconds=1), system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish_bodies(lines[500:600])
        system.wait_for_blocked_batch()
        wait_until(lambda: system.redis.llen(system.settings.queue) >= 3, what="waiting wake-ups")
        fill(system)
    try:
        wait_until(lambda: refused_to_celery(worker), 20, "Celery's own refusal")
    finally:
        system.redis.config_set("maxmemory", 0)
    system.publish_bodies(lines[600:])
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()
    assert beat.is_running()


def refused_to_celery(worker: CeleryProcess) -> bool:
    lines = (line["event"] for line in worker.lines() if line["logger"].startswith("celery"))
    return any("maxmemory" in line or "OutOfMemory" in line for line in lines)
