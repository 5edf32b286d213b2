"""Redis is killed and comes back with its append-only file, is emptied, cuts every connection, loses the group."""

import os
import signal

import pytest
from celery import Celery

from tests.support import oulad
from tests.support.events import enrolled, viewed
from tests.support.load import Load
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.wait import wait_until
from tests.support.worker_process import frozen
from worker.contract.event import CloudEvent

on_both = pytest.mark.parametrize("own_servers", ["valkey", "redis"], indirect=True, scope="module")


@on_both
@pytest.mark.second_tier
def test_killed_and_restarted_under_load_it_has_every_acknowledged_event(
    own_redis_system: System, own_servers: OwnServers
) -> None:
    system = own_redis_system
    lines = oulad.generate(8_000, learners=40)
    worker, beat = system.start_worker(2, batch_size=200), system.start_beat()
    with Load(system.settings, lines) as load:
        for share in (0.2, 0.5):
            load.wait_for(share)
            wait_until(lambda: worker.lines("batch_recorded"), what="a worker at work")
            own_servers.kill_valkey()
            own_servers.start_valkey()
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()
    assert beat.is_running()
    later: list[CloudEvent] = [enrolled(900), viewed(900, 1, 1)]
    system.publish(later)
    system.assert_exact([*oulad.parse(lines), *later])
    assert len(worker.lines()) < 5_000, "the log is flooded"


@on_both
@pytest.mark.second_tier
def test_while_it_loads_its_data_everybody_waits(own_redis_system: System, own_servers: OwnServers) -> None:
    """A long append-only file, made longer by a delay for each of its commands."""
    system = own_redis_system
    system.redis.bgrewriteaof()  # without what the tests before this one wrote
    wait_until(lambda: _is_rewritten(system), what="the end of rewriting")
    lines = oulad.generate(8_000)
    worker, beat = system.start_worker(2), system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        # One command each: Redis answers after each thousand of them, and who logs in needs several answers.
        for line in lines[500:]:
            system.redis.xadd(system.settings.stream_key, {"event": line})
        own_servers.kill_valkey()
    own_servers.start_valkey(key_load_delay="500")
    away = worker.lines("server_away") + worker.lines("broker_away")
    assert any("loading" in line["detail"] for line in away), "nobody met it"
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()
    assert beat.is_running()


@pytest.mark.second_tier
def test_the_loss_is_noticed_first_on_the_connection_of_broadcasts(
    own_redis_system: System, own_servers: OwnServers
) -> None:
    """The one that waits for tasks is still in a read, and kombu closes it after it has dropped its transport."""
    system = own_redis_system
    events: list[CloudEvent] = [enrolled(1), viewed(1, 1, 1), enrolled(2), viewed(2, 1, 1)]
    worker = system.start_worker(2)
    with system.locked("LOCK TABLE lesson_event IN SHARE MODE"):
        system.publish(events)
        system.wait_for_blocked_batch(2)
        with Celery(broker=system.settings.redis_url) as celery:
            celery.send_task("progress.maintain", queue=system.settings.queue)
        wait_until(lambda: system.redis.hlen("unacked") == 1, what="a message taken and not acknowledged")
        with frozen(worker.pid):
            system.redis.client_kill_filter(_type="pubsub")
            os.kill(own_servers._valkey_pid(), signal.SIGSTOP)
        wait_until(lambda: any("broker lost" in line["event"] for line in worker.lines()), what="the loss")
        own_servers.kill_valkey()
        worker.wait_for_line("broker_away")
    own_servers.start_valkey()
    beat = system.start_beat()
    system.assert_exact(events)
    assert worker.is_running()
    assert beat.is_running()


@on_both
def test_emptied_it_serves_on_and_the_group_comes_back_at_the_beginning(own_redis_system: System) -> None:
    system = own_redis_system
    lines = oulad.generate(1_000)
    worker = system.start_worker(2)
    system.start_beat()
    system.publish_bodies(lines[:500])
    system.assert_exact(oulad.parse(lines[:500]))
    pipeline = system.redis.pipeline(transaction=True)
    pipeline.flushall()
    for line in lines[500:]:  # before anyone can make the group again: a group at `$` would miss these
        pipeline.xadd(system.settings.stream_key, {"event": line})
    pipeline.execute()
    system.assert_exact(oulad.parse(lines))
    assert worker.lines("group_missing")


def test_a_destroyed_group_comes_back_and_repeats_what_is_there_without_effect(system: System) -> None:
    lines = oulad.generate(600)
    worker = system.start_worker(2)
    system.start_beat()
    system.publish_bodies(lines[:300])
    system.assert_exact(oulad.parse(lines[:300]))
    for stream in system.keys.streams:
        system.redis.xgroup_destroy(stream, system.keys.group)
    system.publish_bodies(lines[300:])
    worker.wait_for_line("group_missing")
    system.assert_exact(oulad.parse(lines))


@on_both
@pytest.mark.second_tier
def test_with_every_connection_cut_again_and_again_the_rows_are_exact(own_redis_system: System) -> None:
    system = own_redis_system
    lines = oulad.generate(6_000, learners=40)
    worker = system.start_worker(2, batch_size=200, reclaim_idle_seconds=600)  # replies lost come from the own list
    system.start_beat()
    cut = []
    with Load(system.settings, lines) as load:
        wait_until(lambda: worker.lines("batch_recorded"), what="a worker at work")
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            load.wait_for(share)
            wait_until(lambda: len(system.redis.client_list(_type="normal")) >= 5, what="connections to cut")
            cut.append(system.redis.client_kill_filter(_type="normal", skipme=True))
    system.assert_exact(oulad.parse(lines))
    assert min(cut) >= 3
    while not worker.lines("server_away"):  # a cut between two commands is mended unseen; one in a blocked read is not
        system.redis.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: len(system.redis.client_list(_type="normal")) >= 5, what="connections to cut")
    later: list[CloudEvent] = [enrolled(900), viewed(900, 1, 1)]
    system.publish(later)
    system.assert_exact([*oulad.parse(lines), *later])


def _is_rewritten(system: System) -> bool:
    info = system.redis.info("persistence")
    return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]
