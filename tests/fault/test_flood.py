"""A flood of bad entries on every stream: good ones are applied meanwhile, and whoever looks can see it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.system import System
from tests.support.wait import wait_until
from worker.streams import publish
from worker.streams.connection import connect

BAD = [b"{not json", b'{"type":"lesson.viewed","padding":"' + b"x" * 2_000 + b'"}'] * 250
MOST_UNREAD = 10_000
"""So much stays ahead of the workers: the flood lasts as long as it should, however slow they are."""


class Flood:
    """How much was published, and the end of it."""

    def __init__(self) -> None:
        self.published = 0
        self.over = threading.Event()


@contextmanager
def flood(system: System) -> Iterator[Flood]:
    """Publish nothing but bad entries, on each stream in turn as fast as workers take them, until the block ends."""
    state = Flood()

    def run() -> None:
        redis = connect(system.settings)
        while not state.over.wait(0.01):
            if system.unread() > MOST_UNREAD:
                continue
            for stream in system.keys.streams:
                state.published += len(publish.append_many(redis, [(stream, body) for body in BAD]))
        redis.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        thread.join()


def test_good_events_are_applied_during_a_flood_of_bad_ones_and_somebody_can_see_it(system: System) -> None:
    lines = oulad.generate(1_000)
    worker = system.start_worker(2)
    system.start_beat()
    with flood(system) as state:
        wait_until(lambda: sum(system.dead_letters().values()) > 1_000, 20, "the flood's arrival")
        before = state.published
        system.publish_bodies(lines)
        wait_until(lambda: system.recorded() == 1_000, 30, "the good events")
        assert before < state.published, "the flood was over before"
    rejected = {"invalid_json": state.published // 2, "invalid_event": state.published // 2}
    system.assert_exact(oulad.parse(lines), rejected=rejected, seconds=60)
    assert {line["level"] for line in worker.lines("batch_recorded") if line["rejected"]} == {"warning"}
    gauges = {
        (sample.name, *sample.labels.values()): sample.value
        for gauge in text_string_to_metric_families(invoke(system.environment(), "metrics").stdout)
        for sample in gauge.samples
    }
    assert gauges["progress_dead_letters", "invalid_json"] == state.published / 2
    assert gauges["progress_table_bytes", "dead_letter"] > 100 * state.published
