"""Workers on the wrong Redis: the streams of another system are neither read nor acknowledged nor trimmed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.databases import clone_database, drop_database
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent
from worker.settings import Settings
from worker.streams.connection import Redis


@pytest.fixture
def staging(settings: Settings, redis: Redis, template: str, tmp_path: Path) -> Iterator[System]:
    """Another database, of the same migration and so with the same id, on the Redis and stream key of `system`."""
    name, url = clone_database(str(settings.database_url), template)
    (tmp_path / "staging").mkdir()
    changes = {"database_url": url, "queue": f"{settings.queue}-staging"}
    system = System(settings.model_copy(update=changes), redis, tmp_path / "staging")
    yield system
    system.close()
    drop_database(str(settings.database_url), name)


@pytest.mark.second_tier
def test_a_copy_of_the_database_reads_nothing_and_says_so_until_it_adopts_the_streams(
    system: System, staging: System
) -> None:
    lines = oulad.generate(600)
    worker, beat = system.start_worker(2), system.start_beat()
    system.publish(oulad.parse(lines[:300]))
    system.wait_until_drained()
    wrong = staging.start_worker(2)
    staging.start_beat()
    (told, *_) = wrong.wait_for_line("reading_stopped")
    for part in ("belongs to another system", "PROGRESS_STREAM_KEY", "REDIS_URL", "progress-worker system adopt"):
        assert part in told["detail"]
    wrong.wait_for_line("maintenance_postponed")
    system.publish(oulad.parse(lines[300:]))
    system.assert_exact(oulad.parse(lines))
    assert staging.recorded() == 0

    environment = staging.environment()
    for command in (["health", "ready"], ["drain"], ["replay"]):
        refused = invoke(environment, *command)
        assert refused.exit_code == 1, command
        assert "belongs to another system" in refused.output
    assert any("belongs to another" in each for each in json.loads(_json(environment, "status"))["warnings"])
    assert not json.loads(_json(environment, "system", "show"))["ours"]
    assert json.loads(_json(system.environment(), "system", "show"))["ours"]

    declined = invoke(environment, "system", "adopt")  # nothing on standard input: not confirmed
    assert declined.exit_code == 1
    adopted = invoke(environment, "system", "adopt", "--yes")
    assert str(system.engine.url.database) in adopted.output, "it says which one it replaces"
    worker.wait_for_line("reading_stopped")
    later: list[CloudEvent] = [enrolled(900), viewed(900, 1, 1)]
    staging.publish(later)
    wait_until(lambda: staging.recorded() == 1, 20, "the adopting system at work")
    assert "Nothing to adopt" in invoke(environment, "system", "adopt").output
    assert beat.is_running()


def test_a_stream_key_that_is_a_partition_of_another_system_is_refused(system: System, staging: System) -> None:
    system.start_worker(2)
    events: list[CloudEvent] = [enrolled(8), viewed(8, 1, 1)]
    system.publish(events)
    system.wait_until_drained()
    inside = staging.start_worker(2, stream_key=f"{system.settings.stream_key}:0")
    assert inside.wait(20) != 0
    assert "looks like a key of another system" in inside.tail()
    system.assert_exact(events)
    assert staging.recorded() == 0


@pytest.mark.parametrize(
    "is_copy",
    [pytest.param(False, id="empty"), pytest.param(True, id="copy with positions", marks=pytest.mark.second_tier)],
)
def test_who_was_refused_does_not_take_the_streams_when_redis_is_emptied(
    system: System, staging: System, is_copy: bool
) -> None:
    lines = oulad.generate(300)
    if is_copy:
        copied = "INSERT INTO stream_position (stream, consumer, milliseconds, sequence) VALUES (:stream, 'one', 1, 0)"
        with staging.engine.begin() as connection:
            connection.execute(text(copied), [{"stream": each} for each in system.keys.streams])
    worker = system.start_worker(2)
    system.publish(oulad.parse(lines))
    system.wait_until_drained()
    worker.stop()
    wrong = staging.start_worker(2)
    staging.start_beat()
    wrong.wait_for_line("reading_stopped")
    empty(system)
    wait_until(
        lambda: any("was refused before" in line["detail"] for line in wrong.lines("reading_stopped")),
        what="a sentence that says why",
    )
    environment = staging.environment()
    for command in (["health", "ready"], ["status"]):
        assert "was refused before" in " ".join(invoke(environment, *command).output.split())
    system.start_worker(2)
    system.publish(oulad.parse(lines))
    system.assert_exact(oulad.parse(lines))
    assert staging.recorded() == 0

    system.close()
    empty(system)
    assert "no system: adopt it" in invoke(environment, "system", "show").output
    assert "of no system now" in invoke(environment, "system", "adopt", "--yes").output
    later: list[CloudEvent] = [enrolled(900), viewed(900, 1, 1)]
    staging.publish(later)
    wait_until(lambda: staging.recorded() == 1, 20, "the adopting system at work")


def empty(system: System) -> None:
    """As FLUSHALL does, for this system's keys alone: other tests are on the same server."""
    for key in system.redis.scan_iter(f"{system.settings.stream_key}*"):
        system.redis.delete(key)


def _json(environment: dict[str, str], *command: str) -> str:
    return invoke(environment, *command, "--json").stdout
