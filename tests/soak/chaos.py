"""Hundreds of kills and restarts under load, and then every row held against the plain-Python model."""

import random
import time
from collections.abc import Iterator

from tests.soak.faults import KILL_ALONE, Faults
from tests.soak.lms import Lms
from tests.soak.place import Figures, max_memory, place, versions
from tests.soak.publisher import Publisher
from tests.soak.verdict import Verdict, judge
from tests.support.cohorts import LEARNERS
from worker.cli.progress_bar import open_progress

KILLS, RESTARTS, MINUTES = 500, 50, 60
"""In an hour; a run of another length has its share of them, unless it is told how many."""
BEAT_SHARE = 50
"""One kill of beat for so many of others."""
KILLS_ALONE = 5
"""After the others; each is waited for."""
BOUNDS = {
    KILL_ALONE: 35.0,  # PROGRESS_RECLAIM_IDLE_SECONDS + 5
    "Redis restart": 5.0,
    "PostgreSQL restart": 5.0,
}
"""Seconds within which the system has to recover from each kind of fault."""


def run(minutes: float, kills: int, restarts: int, seed: int, rate: float, *, redis: bool) -> tuple[Figures, list[str]]:
    """So many kills, and restarts of each server, spread evenly; the figures, and what is wrong."""
    chance = random.Random(seed)
    kinds = ["kill"] * kills + ["redis", "postgresql"] * restarts + ["beat"] * (kills // BEAT_SHARE)
    kinds += ["clock"] * (2 * restarts)
    chance.shuffle(kinds)
    with place(redis=redis) as (system, servers):
        faults = Faults(system, servers, chance)
        memory = 0
        started = time.monotonic()
        with (
            open_progress("injected", total=len(kinds), unit="faults") as progress,
            Publisher(system.settings, seed, rate) as publisher,
            Lms(system.engine, lambda: publisher.cohorts.begun * LEARNERS, seed) as lms,
        ):
            for number, kind in enumerate(_evenly(kinds, 60 * minutes), 1):
                faults.inject(kind)
                memory = max(memory, max_memory(faults.workers))
                progress.update(
                    number, f"{number:,} faults of {len(kinds):,}, {publisher.acknowledged:,} entries published"
                )
            for _ in range(KILLS_ALONE):
                faults.kill_alone()
        minutes = (time.monotonic() - started) / 60
        verdict = judge(system, servers, publisher.cohorts.all(), others=faults.probes, publisher=publisher)
        faults.assert_nobody_ended()
        figures = [
            ("servers", versions(system)),
            ("under load for", f"{minutes:.1f} minutes, seed {seed}"),
            *((f"fault: {name}", f"{number:,}") for name, number in sorted(faults.injected.items())),
            ("kills that left entries pending", f"{faults.caught:,}, with {faults.in_hand:,} entries"),
            ("round trips of the publisher that failed and were repeated", f"{publisher.refused:,}"),
            ("transactions of an LMS in random order, of them long ones", f"{lms.transactions:,}, {lms.long:,}"),
            *_counted(publisher, faults, verdict),
            *((f"slowest recovery: {kind}", _slowest(seconds)) for kind, seconds in sorted(faults.recoveries.items())),
            ("most memory of a process", f"{memory / 2**20:.0f} MB"),
        ]
        idle = {
            "no kill left anything pending": faults.caught,
            "nothing was taken over from the dead": _reclaimed(faults),
            "no round trip failed": publisher.refused or not restarts,
            "no transaction of the LMS was long": lms.long,
        }
        tame = [problem for problem, bite in idle.items() if not bite]
        victims = [f"the LMS lost to a worker: {each}" for each in lms.lost[:3]]
        slow = [
            f"{kind}: {max(faults.recoveries[kind]):.1f} s, above {bound} s"
            for kind, bound in BOUNDS.items()
            if max(faults.recoveries.get(kind, [0])) > bound
        ]
        return figures, verdict.problems + tame + slow + victims


def _evenly(kinds: list[str], seconds: float) -> Iterator[str]:
    """Each at its time; a late one at once."""
    started = time.monotonic()
    for number, kind in enumerate(kinds):
        time.sleep(max(0.0, started + seconds * (number + 1) / (len(kinds) + 1) - time.monotonic()))
        yield kind
    time.sleep(max(0.0, started + seconds - time.monotonic()))


def _counted(publisher: Publisher, faults: Faults, verdict: Verdict) -> Figures:
    recorded = [line for log in faults.logs for line in log.lines("batch_recorded")]
    return [
        ("entries acknowledged by Redis", f"{publisher.acknowledged + len(faults.probes):,}"),
        ("events among them (the others are duplicates and invalid)", f"{verdict.events:,}"),
        ("**events lost**", f"**{verdict.lost:,}**"),
        ("**events doubled**", f"**{verdict.doubled:,}**"),
        ("invalid events, all in `dead_letter` and nothing else", f"{len(publisher.planted):,}"),
        ("entries that came again and changed nothing", f"{sum(line['repeated'] for line in recorded):,}"),
        ("redeliveries: entries taken over from the dead", f"{_reclaimed(faults):,}"),
    ]


def _reclaimed(faults: Faults) -> int:
    return sum(line["entries"] for log in faults.logs for line in log.lines("entries_reclaimed"))


def _slowest(seconds: list[float]) -> str:
    return f"{max(seconds):.1f} s (median {sorted(seconds)[len(seconds) // 2]:.1f} s of {len(seconds):,})"
