"""How fast a real log is replayed: in order against shuffled, by 1, 2 and 4 pool processes; and one event alone.

    python benchmarks/replay.py              drain times, a few minutes
    python benchmarks/replay.py --latency    publish → row on an idle system
    python benchmarks/replay.py --events 200 a trial: a log of so many events, or so many alone

Embedded servers on the loopback address, a real worker and a real beat, default settings. A drain is timed from the
first row in PostgreSQL to the last acknowledgement, parked events included: a worker's start is not what is measured.
"""

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import oulad
from tests.support.databases import clone_database, drop_database, make_template
from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.settings import Settings
from worker.streams import connection

ROUNDS = 3
PROCESSES = (1, 2, 4)
COMPARED_WITH = 2
"""Pool processes of the comparison between orders."""
LATENCY_EVENTS = 100
LIMIT_SECONDS = 120
_STARTED = "SELECT EXISTS (SELECT FROM lesson_event) OR EXISTS (SELECT FROM dead_letter)"

Message = dict[str, object]


class Bench:
    """Fresh databases and streams on one pair of servers."""

    def __init__(self, directory: Path, database_url: str, redis_url: str) -> None:
        self._directory = directory
        self._database_url = database_url
        self._redis_url = redis_url
        self._template = make_template(database_url)

    @contextmanager
    def system(self) -> Iterator[System]:
        """An empty system with the default settings, gone afterwards."""
        name, url = clone_database(self._database_url, self._template)
        settings = Settings(database_url=url, redis_url=self._redis_url, runtime_directory=self._directory / "run")
        redis = connection.connect(settings)
        redis.flushall()
        system = System(settings, redis, self._directory)
        system.settings = settings
        try:
            yield system
        finally:
            system.close()
            redis.close()
            drop_database(self._database_url, name)

    def drain_seconds(self, messages: list[Message], processes: int) -> float:
        """Publish everything, start, and time the drain."""
        with self.system() as system:
            system.publish(messages)
            system.start_worker(processes)
            system.start_beat()
            wait_until(lambda: rows(system.engine, _STARTED) == [(True,)], LIMIT_SECONDS, "the first row")
            started = time.monotonic()
            system.wait_until_drained(LIMIT_SECONDS)
            return time.monotonic() - started

    def latencies(self, events: int) -> list[float]:
        """Milliseconds from the call of `publish` to the row's being visible to another connection, sorted."""
        with self.system() as system:
            system.start_worker(2)
            system.start_beat()
            publisher, chance = EventPublisher(settings=system.settings), random.Random(1)
            publisher.publish(enrolled(1))
            wait_until(lambda: rows(system.engine, "SELECT FROM user_course"), LIMIT_SECONDS, "the enrollment")
            measured = []
            for number in range(1, events + 1):
                event = viewed(1, 1, number, seconds=number)
                time.sleep(chance.uniform(0, 0.3))  # at any moment of the worker's loop
                started = time.monotonic()
                publisher.publish(event)
                while system.recorded() < number:
                    if time.monotonic() - started > LIMIT_SECONDS:
                        raise TimeoutError(f"event {number} did not arrive")
                measured.append(1000 * (time.monotonic() - started))
            return sorted(measured)


def print_drains(bench: Bench, events: int | None) -> None:
    """The orders take turns, so that a noisy moment hits both."""
    log = oulad.load() if events is None else oulad.generate(events)
    messages: list[Message] = [json.loads(line) for line in log]
    print(f"{len(messages):,} events, {ROUNDS} rounds, {COMPARED_WITH} pool processes")
    orders = {"in order": messages, "shuffled": random.Random(1).sample(messages, len(messages))}
    seconds: dict[str, list[float]] = {name: [] for name in orders}
    for _ in range(ROUNDS):
        for name, ordered in orders.items():
            seconds[name].append(bench.drain_seconds(ordered, COMPARED_WITH))
    for name, measured in seconds.items():
        median = statistics.median(measured)
        each = " ".join(f"{one:5.1f}" for one in measured)
        print(f"  {name}   {each}   median {median:5.1f} s   {len(messages) / median:8,.0f} events/s")
    ratio = statistics.median(seconds["shuffled"]) / statistics.median(seconds["in order"])
    print(f"  shuffled takes {ratio:.2f} times as long (at most 2 wanted)")
    print("pool processes, in order")
    for processes in PROCESSES:
        measured = [bench.drain_seconds(messages, processes) for _ in range(ROUNDS)]
        median = statistics.median(measured)
        print(f"  {processes}   median {median:5.1f} s   {len(messages) / median:8,.0f} events/s")


def print_latency(bench: Bench, events: int | None) -> None:
    """Of so many events, each alone."""
    measured = bench.latencies(events or LATENCY_EVENTS)
    p50, p95 = measured[len(measured) // 2], measured[int(len(measured) * 0.95)]
    print(f"publish → row, {len(measured)} events: p50 {p50:.1f} ms   p95 {p95:.1f} ms   max {measured[-1]:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--latency", action="store_true", help="measure publish → row instead of drains")
    parser.add_argument("--events", type=int, help="for a trial")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=default_directory("test")))
    try:
        with start_servers(directory) as servers:
            bench = Bench(directory, servers.database_url, servers.redis_url)
            (print_latency if arguments.latency else print_drains)(bench, arguments.events)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
