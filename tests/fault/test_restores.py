"""PostgreSQL or Redis is put back to an older moment: what was acknowledged since is applied again, or told.

Each step of docs/backup-and-restore.md is done here. Copies of the database are made and put back under its own name.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.databases import Backup
from tests.support.events import body, enrolled, viewed
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.tables import execute
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent
from worker.settings import Settings
from worker.streams.accounting import read_accounts
from worker.streams.connection import Redis

LINES = oulad.generate(1_200, learners=40)
FIRST, SECOND, THIRD = LINES[:400], LINES[400:800], LINES[800:]


@pytest.fixture
def kept(settings: Settings, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """Like `system`, with the default replay window."""
    system = System(settings.model_copy(update={"replay_window_seconds": 300}), redis, tmp_path)
    yield system
    system.close()


@pytest.fixture
def kept_on_own_redis(own_redis_system: System) -> System:
    """The same, with a Valkey of its own."""
    own_redis_system.settings = own_redis_system.settings.model_copy(update={"replay_window_seconds": 300})
    return own_redis_system


def apply(system: System, lines: list[bytes]) -> None:
    """Publish to every stream and wait until all is acknowledged."""
    system.publish(oulad.parse(lines))
    system.wait_until_drained()


@pytest.fixture
def backup(kept: System) -> Iterator[Backup]:
    """Copies of the database; gone at the end."""
    with Backup(str(kept.settings.database_url)) as made:
        yield made


def test_an_older_copy_of_postgresql_gets_back_what_was_acknowledged_since_without_anybody_publishing(
    kept: System, backup: Backup
) -> None:
    worker = kept.start_worker(2)
    kept.start_beat()
    apply(kept, FIRST)
    backup.take()
    apply(kept, SECOND)
    backup.put_back()
    worker.wait_for_line("commits_replayed")
    kept.assert_exact(oulad.parse([*FIRST, *SECOND]))
    lost, replayed = worker.lines("commits_lost"), worker.lines("commits_replayed")
    assert {line["stream"] for line in lost} <= set(kept.keys.streams)
    assert len(replayed) == 1, "one consumer did it, once"
    assert replayed[0]["complete"]
    assert replayed[0]["entries"] >= 800


@pytest.mark.second_tier
def test_an_empty_copy_put_back_while_no_worker_runs_and_more_events_wait(kept: System, backup: Backup) -> None:
    backup.take()
    worker = kept.start_worker(2)
    kept.start_beat()
    apply(kept, FIRST)
    worker.kill()
    backup.put_back()
    kept.publish(oulad.parse(SECOND))
    second = kept.start_worker(2)
    second.wait_for_line("commits_replayed", seconds=40)
    kept.assert_exact(oulad.parse([*FIRST, *SECOND]))


@pytest.mark.second_tier
def test_under_load_an_older_copy_is_noticed_and_the_rows_end_exact(kept: System, backup: Backup) -> None:
    worker = kept.start_worker(2, batch_size=50)
    kept.start_beat()
    apply(kept, FIRST)
    backup.take()
    before = kept.recorded()
    kept.publish(oulad.parse(SECOND))
    wait_until(lambda: kept.recorded() > before + 100, what="a worker in the middle of them")
    backup.put_back()
    kept.publish(oulad.parse(THIRD))
    worker.wait_for_line("commits_replayed")
    kept.assert_exact(oulad.parse(LINES))


@pytest.mark.second_tier
def test_a_replay_longer_than_a_slice_goes_on_where_it_ended(kept: System, backup: Backup) -> None:
    backup.take()
    worker = kept.start_worker(2)
    kept.start_beat()
    apply(kept, LINES)
    worker.kill()
    backup.put_back()
    second = kept.start_worker(2, batch_size=20, slice_seconds=0.2)
    second.wait_for_line("commits_replayed", seconds=40)
    kept.assert_exact(oulad.parse(LINES))
    (replayed,) = second.lines("commits_replayed")
    assert replayed["entries"] == len(LINES), "no entry twice"


def test_what_redis_has_trimmed_is_told_with_the_time_to_publish_again_from(kept: System, backup: Backup) -> None:
    worker = kept.start_worker(2, replay_window_seconds=0)
    kept.start_beat(replay_window_seconds=0)
    apply(kept, FIRST)
    backup.take()
    apply(kept, SECOND)
    wait_until(lambda: not any(each.length for each in kept.backlogs()), what="the trim")
    backup.put_back()
    (replayed,) = worker.wait_for_line("commits_replayed")
    assert not replayed["complete"]
    since = datetime.fromisoformat(replayed["publish_again_from"])
    kept.publish(oulad.parse(LINES))  # the LMS sends again what it sent since; more does no harm
    kept.assert_exact(oulad.parse(LINES))
    assert since.timestamp() * 1000 <= max(int(each.last_delivered_id.partition("-")[0]) for each in kept.backlogs())
    assert len(worker.lines("commits_replayed")) == 1, "said once"


def test_an_older_redis_is_told_with_the_time_to_publish_again_from(
    kept_on_own_redis: System, own_servers: OwnServers
) -> None:
    system = kept_on_own_redis
    worker = system.start_worker(2)
    system.start_beat()
    apply(system, FIRST)
    own_servers.copy_valkey()
    copied_at = datetime.now(UTC)
    apply(system, SECOND)
    worker.kill()
    system.publish(oulad.parse(THIRD))  # nobody reads them before they are gone
    own_servers.put_valkey_back()
    second = system.start_worker(2)
    told = second.wait_for_line("redis_put_back")
    assert all(datetime.fromisoformat(line["publish_again_from"]) <= copied_at for line in told)
    shown = json.loads(invoke(system.environment(), "status", "--json").stdout)["repairs"]
    assert shown["redis_put_back_at"]
    assert datetime.fromisoformat(shown["publish_again_from"]) <= copied_at
    system.publish(oulad.parse([*SECOND, *THIRD]))  # what the LMS sent since then
    system.assert_exact(oulad.parse(LINES))
    assert not second.lines("commits_lost")


@pytest.mark.parametrize("older", ["postgresql", "redis"])
@pytest.mark.second_tier
def test_both_put_back_to_different_moments_end_exact_once_the_lms_has_sent_again_what_redis_lost(
    kept_on_own_redis: System, own_servers: OwnServers, older: str
) -> None:
    system = kept_on_own_redis
    with Backup(str(system.settings.database_url)) as backup:
        copies = [backup.take, own_servers.copy_valkey]
        worker = system.start_worker(2)
        system.start_beat()
        apply(system, FIRST)
        copies.pop(0 if older == "postgresql" else 1)()
        apply(system, SECOND)
        copies.pop()()
        apply(system, THIRD)
        worker.kill()
        backup.put_back()
        own_servers.put_valkey_back()
        second = system.start_worker(2)
        second.wait_for_line("commits_replayed" if older == "postgresql" else "redis_put_back")
        system.publish(oulad.parse(THIRD if older == "postgresql" else [*SECOND, *THIRD]))
        system.assert_exact(oulad.parse(LINES))


@pytest.mark.second_tier
def test_what_was_applied_late_below_later_entries_comes_back_although_nobody_remembers_it(
    kept: System, backup: Backup
) -> None:
    events: list[CloudEvent] = [each for number in range(1, 21) for each in (enrolled(number), viewed(number))]
    late: list[CloudEvent] = [viewed(9, 1, 2, seconds=number) for number in range(50)]
    later: list[CloudEvent] = [viewed(17, 1, 2, seconds=5)]  # of the same stream, as 9 and 17 differ by 8
    worker = kept.start_worker(2)
    kept.start_beat()
    kept.publish(events)
    kept.wait_until_drained()
    with kept.locked("SELECT FROM user_course WHERE id = 9 FOR UPDATE"):
        kept.publish(late)
        kept.publish(later)
        wait_until(lambda: kept.recorded() == 21, what="the later one")
        worker.stop()
        assert sum(kept.pending().values()) == 50
    backup.take()
    worker = kept.start_worker(2)
    wait_until(lambda: kept.recorded() == 71, 20, "the late ones")
    kept.wait_until_drained()
    worker.kill()
    backup.put_back()
    second = kept.start_worker(2)
    second.wait_for_line("commits_replayed")
    kept.assert_exact([*events, *late, *later])
    assert {line["stream"] for line in second.lines("commits_lost")} == {kept.keys.stream_for(9)}
    assert len(second.lines("commits_replayed")) == 1, "said once"


def test_replay_beside_a_locked_enrollment_doubles_nothing_however_often_it_runs(kept: System) -> None:
    events: list[CloudEvent] = [each for number in range(1, 11) for each in (enrolled(number), viewed(number))]
    late: list[CloudEvent] = [viewed(9, 1, 2, seconds=number) for number in range(20)]
    strays: list[CloudEvent] = [viewed(1, 1, 3, seconds=9)]
    kept.start_worker(2)
    kept.start_beat()
    kept.publish(events)
    stray = kept.keys.partition(300)
    kept.publish_bodies([body(each) for each in strays], stray)
    kept.keys = replace(kept.keys, strays=(stray,))
    wait_until(lambda: kept.recorded() == 11, what="the stray's too")
    kept.wait_until_drained()
    with kept.locked("SELECT FROM user_course WHERE id = 9 FOR UPDATE"):
        kept.publish(late)
        wait_until(lambda: sum(kept.pending().values()) == 20, what="all of them pending")
        added = kept.lengths()
        for _ in range(3):
            done = json.loads(invoke(kept.environment(), "replay", "--json").stdout)
            assert done["entries"] == len([*events, *late, *strays])
            parts = ("applied", "repeated", "parked", "rejected", "deferred")
            assert sum(done[part] for part in parts) == done["entries"], done
            assert done["deferred"] >= 20
            assert kept.lengths() == added
    kept.assert_exact([*events, *late, *strays])
    assert not any(each.vanished for each in read_accounts(kept.redis, kept.keys.streams).values())


def test_replay_applies_by_hand_what_is_still_in_the_streams_beside_working_workers(kept: System) -> None:
    kept.start_worker(2)
    kept.start_beat()
    apply(kept, FIRST)
    execute(kept.engine, "DELETE FROM lesson_event")  # a mistake that no position tells of
    environment = kept.environment()
    dry = json.loads(invoke(environment, "replay", "--dry-run", "--json").stdout)
    assert (dry["entries"], dry["applied"]) == (len(FIRST), 0)
    # An enrollment that a worker's refresh has locked at that moment is left to the workers.
    done = json.loads(invoke(environment, "replay", "--json").stdout)
    assert done["entries"] == len(FIRST)
    assert done["applied"] + done["deferred"] > 300, done
    kept.wait_until_drained()
    again = json.loads(invoke(environment, "replay", "--since", "2025-07-14T10:30:00Z", "--json").stdout)
    assert again["applied"] == 0, again
    assert again["repeated"] + again["deferred"] > 300
    kept.wait_until_drained()
    assert invoke(environment, "replay", "--since", "yesterday").exit_code == 1
    later = invoke(environment, "replay", "--since", "2199-07-14T10:30:00Z")
    assert "entries: 0" in later.stdout
    kept.assert_exact(oulad.parse(FIRST))
