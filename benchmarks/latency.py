"""How long it takes from publishing an event to its row, while others are published at a steady rate."""

import json
import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event as Flag

from sqlalchemy import create_engine, text

from benchmarks.contenders.this_worker import ThisWorker
from benchmarks.events import Log, make_log
from benchmarks.place import Place
from worker.client import EventPublisher
from worker.contract.event import partition_key
from worker.settings import Settings

TICK_SECONDS = 0.005
POLL_SECONDS = 0.001
LIMIT_SECONDS = 60
SAMPLES = 1_000
"""At most."""

_IS_THERE = text(
    "SELECT EXISTS (SELECT FROM lesson_event WHERE user_course_id = :key AND event_id = CAST(:id AS uuid))"
)


@dataclass(frozen=True)
class Spans:
    """Seconds for getting going, and for samples."""

    get_going: float = 2.0
    samples: float = 6.0

    @classmethod
    def within(cls, seconds: float) -> "Spans":
        """The usual ones, shortened for a trial."""
        usual = cls()
        return cls(min(usual.get_going, seconds), min(usual.samples, seconds))


@dataclass(frozen=True)
class Latency:
    """Milliseconds of some samples, at so many events a second."""

    rate: float
    samples: Sequence[float]

    def percentile(self, share: float) -> float:
        """The value below which this share of the samples lies."""
        return sorted(self.samples)[min(len(self.samples) - 1, int(share * len(self.samples)))]


def make_latency_log(rate: float, spans: Spans) -> Log:
    """Enough events for so many a second, none twice, and for the samples after them."""
    return make_log(int(rate * (spans.get_going + spans.samples + 2)) + SAMPLES)


def measure_latency(place: Place, log: Log, rate: float, spans: Spans) -> Latency:
    """Of the log's last events, one at a time, while the others are published by another process."""
    worker = ThisWorker(2)
    spawn = multiprocessing.get_context("spawn")
    over = spawn.Event()
    publisher = spawn.Process(
        target=publish_steadily, args=(place.settings, log.timed[:-SAMPLES], rate, over), daemon=True
    )
    with worker.running(place, log.warm_up):
        publisher.start()
        try:
            time.sleep(spans.get_going)
            return Latency(rate, _sample(place, log.timed[-SAMPLES:], spans.samples))
        finally:
            over.set()
            publisher.join(LIMIT_SECONDS)
            publisher.kill()


def publish_steadily(settings: Settings, lines: Sequence[bytes], rate: float, over: Flag) -> None:
    """So many a second, those that are due together in one round trip."""
    publisher = EventPublisher(settings=settings)
    bodies = [(partition_key(json.loads(line)["data"]), line) for line in lines]
    started, done = time.monotonic(), 0
    while not over.is_set():
        due = int((time.monotonic() - started) * rate)
        done += publisher.publish_raw(bodies[done:due])
        time.sleep(TICK_SECONDS)


def _sample(place: Place, lines: Sequence[bytes], seconds: float) -> list[float]:
    """Milliseconds from the call that publishes to the moment another connection sees the row."""
    publisher, chance, samples = EventPublisher(settings=place.settings), random.Random(1), []
    engine = create_engine(place.database_url, isolation_level="AUTOCOMMIT")
    until = time.monotonic() + seconds
    with engine.connect() as connection:
        for line in lines:
            event = json.loads(line)
            key = {"key": event["data"]["user_course_id"], "id": event["id"]}
            started = time.monotonic()
            if started > until:
                break
            publisher.publish(event)
            while not connection.scalar(_IS_THERE, key):
                assert time.monotonic() < started + LIMIT_SECONDS, "the row did not come"
                time.sleep(POLL_SECONDS)
            samples.append(1000 * (time.monotonic() - started))
            time.sleep(chance.uniform(0, 0.03))
    engine.dispose()
    return samples
