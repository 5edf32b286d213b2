"""Millions of events are published before the first worker starts: its memory stays flat, and the last row is right.

The first of them were read by consumers that died with them in hand.
"""

import json
import time
from collections.abc import Iterator

from tests.soak.place import Figures, max_memory, place, versions
from tests.soak.verdict import judge
from tests.support.cohorts import EVENTS, OPEN, Cohorts
from tests.support.system import System
from worker.cli.progress_bar import Progress, open_progress
from worker.contract.event import partition_key
from worker.streams import publish, read

CHUNK = 1_000
DEAD_CONSUMERS = 4
IN_DEAD_HANDS = 100_000
"""Entries pending on them together."""
SAMPLE_SECONDS = 1.0
MOST_MEMORY = 120 * 2**20
"""Bytes of the largest process, whatever the backlog."""


def run(events: int, seed: int) -> tuple[Figures, list[str]]:
    """Publish about so many (whole cohorts), then start a worker; the figures, and what is wrong."""
    cohorts = Cohorts(seed)
    with place() as (system, servers):
        with open_progress("published", total=events) as progress:
            published = _publish(system, cohorts, events, progress)
        pending = _die_with(system, IN_DEAD_HANDS)
        redis_bytes = int(system.redis.info("memory")["used_memory"])
        started = time.monotonic()
        worker, beat = system.start_worker(2), system.start_beat()
        samples: list[int] = []
        with open_progress("drained", total=published) as progress:
            while waiting := sum(each.lag + each.pending for each in system.backlogs()):
                samples.append(max_memory([worker]))
                progress.update(published - waiting, f"{published - waiting:,} events of {published:,}")
                time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - started
        verdict = judge(system, servers, cohorts.all())
        half = len(samples) // 2
        figures = [
            ("servers", versions(system)),
            ("events published before the first worker started", f"{published:,}, seed {seed}"),
            ("of them pending on dead consumers", f"{pending:,}"),
            ("Redis' memory by then", f"{redis_bytes / 2**20:,.0f} MB, {redis_bytes / published:.0f} bytes an event"),
            (
                "drained, from the start of the worker (2 processes)",
                f"{seconds:.0f} s, {published / seconds:,.0f} a second",
            ),
            ("largest process: first half, second half", f"{_mb(max(samples[:half]))}, {_mb(max(samples[half:]))}"),
            ("**events lost**", f"**{verdict.lost:,}**"),
            ("**events doubled**", f"**{verdict.doubled:,}**"),
        ]
        checks = {
            f"a process had {_mb(max(samples))}": max(samples) <= MOST_MEMORY,
            "a process ended by itself": worker.is_running() and beat.is_running(),
        }
        return figures, verdict.problems + [problem for problem, holds in checks.items() if not holds]


def _publish(system: System, cohorts: Cohorts, events: int, progress: Progress) -> int:
    published = 0
    for lines in _chunks(cohorts, events):
        streams = [system.keys.stream_for(partition_key(json.loads(line)["data"])) for line in lines]
        published += len(publish.append_many(system.redis, zip(streams, lines, strict=True)))
        progress.update(published, f"{published:,} events")
    return published


def _die_with(system: System, entries: int) -> int:
    """Have consumers that are no more read so many; how many they got."""
    read.create_groups(system.redis, system.keys.group, system.keys.streams)
    share = entries // DEAD_CONSUMERS // system.settings.stream_partitions
    for number in range(DEAD_CONSUMERS):
        read.read_new(system.redis, system.keys.group, f"dead-{number}-00000000", system.keys.streams, share, None)
    return sum(system.pending().values())


def _chunks(cohorts: Cohorts, events: int) -> Iterator[list[bytes]]:
    """Until the cohorts that are open then make it so many."""
    taken = 0
    while taken + OPEN * EVENTS // 2 < events:
        yield cohorts.take(CHUNK)
        taken += CHUNK
    rest = cohorts.rest()
    yield from (rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK))


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
