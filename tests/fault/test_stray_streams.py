"""A publisher counts more partitions than the workers: what Redis acknowledged there is applied all the same."""

import json
from dataclasses import replace

import pytest

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.events import body
from tests.support.system import System
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.streams.keys import Keys


@pytest.mark.second_tier
def test_a_publisher_with_sixteen_partitions_loses_nothing_and_somebody_can_see_it(system: System) -> None:
    generous = system.settings.model_copy(update={"stream_partitions": 16})
    publisher = EventPublisher(settings=generous)
    system.keys = Keys(system.settings.stream_key, 16)
    strays = list(system.keys.streams[9:])
    events = oulad.parse(oulad.generate(2_000, learners=40))
    strays.append(system.keys.partition(1_023))
    system.keys = replace(system.keys, strays=(strays[-1],))
    not_a_stream, plain_stream_of_others = f"{system.settings.stream_key}:20", f"{system.settings.stream_key}:30"
    system.redis.hset(not_a_stream, "something", "else")
    for stream in (plain_stream_of_others, f"{plain_stream_of_others}:0"):
        system.redis.xadd(stream, {"event": "theirs"})

    system.publish_bodies(map(body, events[:10]), strays[-1])
    publisher.publish_many(events[10:1_000])
    worker = system.start_worker(2)
    system.start_beat()
    line = worker.wait_for_line("stray_streams")[0]
    publisher.publish_many(events[1_000:])
    publisher._redis.close()
    system.assert_exact(events)
    wait_until(lambda: not any(system.redis.xlen(stream) for stream in strays), what="the trimming of strays")

    assert (line["streams"], line["not_streams"]) == (strays, [not_a_stream])
    assert system.redis.xlen(plain_stream_of_others) == 1
    shown = json.loads(invoke(system.environment(), "status", "--json").stdout)
    assert shown["stray_streams"] == strays
    assert [each["stream"] for each in shown["streams"]] == list(system.keys.streams)
    sentence = " ".join(invoke(system.environment(), "status").stdout.split())
    assert f"Streams beyond PROGRESS_STREAM_PARTITIONS: {strays[0]}, " in sentence
    assert f"that are not streams: {not_a_stream}." in sentence
    metrics = invoke(system.environment(), "metrics").stdout
    assert f'progress_stream_stray{{stream="{strays[0]}"}} 1.0' in metrics
    assert f'progress_stream_stray{{stream="{system.keys.streams[8]}"}} 0.0' in metrics


def test_a_stray_that_is_deleted_holds_up_nobody_and_is_not_made_again(system: System) -> None:
    stray = f"{system.settings.stream_key}:8"
    lines = oulad.generate(500, learners=10)
    system.publish_bodies(lines[:100], stray)
    worker = system.start_worker(1)
    system.start_beat()
    system.keys = Keys(system.settings.stream_key, 8, (stray,))
    system.wait_until_drained()
    system.redis.delete(stray)
    system.keys = Keys(system.settings.stream_key, 8)
    system.publish_bodies(lines[100:])
    system.assert_exact(oulad.parse(lines))
    assert worker.lines("stray_streams")
    assert not system.redis.exists(stray)
