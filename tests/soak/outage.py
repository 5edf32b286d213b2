"""PostgreSQL stays away for minutes under load: the backlog waits in Redis, the workers wait with it."""

import time

import psutil

from tests.soak.place import Figures, max_memory, place, versions
from tests.soak.publisher import Publisher
from tests.soak.verdict import judge
from worker.cli.progress_bar import open_progress

SAMPLE_SECONDS = 5.0
WARM_UP_SECONDS = 20.0
MOST_CPU = 0.05
"""Of one core, for a worker with its two processes and beat together."""
MOST_GROWTH = 8 * 2**20
"""Bytes by which the largest process may grow meanwhile."""


def run(minutes: float, seed: int, rate: float) -> tuple[Figures, list[str]]:
    """Stop PostgreSQL for so many minutes; the figures, and what is wrong."""
    with place() as (system, servers):
        worker, beat = system.start_worker(2), system.start_beat()
        with Publisher(system.settings, seed, rate) as publisher:
            time.sleep(WARM_UP_SECONDS)
            servers.stop_postgresql()
            stopped = time.monotonic()
            before, cpu = max_memory([worker]), _cpu_seconds(worker.pid) + _cpu_seconds(beat.pid)
            samples = [before]
            with open_progress("away", total=60 * minutes, unit="seconds") as progress:
                while (away := time.monotonic() - stopped) < 60 * minutes:
                    time.sleep(SAMPLE_SECONDS)
                    samples.append(max_memory([worker]))
                    progress.update(away, f"{away:.0f} s, {publisher.acknowledged:,} entries published")
            cpu = (_cpu_seconds(worker.pid) + _cpu_seconds(beat.pid) - cpu) / (time.monotonic() - stopped)
            waiting = system.unread() + sum(system.pending().values())
            servers.start_postgresql()
            back = time.monotonic()
        system.wait_until_drained(600)
        drained = time.monotonic() - back
        verdict = judge(system, servers, publisher.cohorts.all(), publisher=publisher)
        log = worker.log.stat().st_size
        figures = [
            ("servers", versions(system)),
            ("PostgreSQL stopped for", f"{minutes:.0f} minutes at {rate:,.0f} events a second, seed {seed}"),
            ("entries that waited for it", f"{waiting:,}"),
            ("largest process as it stopped, at most meanwhile", f"{_mb(before)}, {_mb(max(samples))}"),
            ("processor time of the worker, its processes and beat", f"{100 * cpu:.1f} % of one core"),
            ("back to an empty stream, load going on", f"{drained:.1f} s after it answered again"),
            ("the worker's log, in all", f"{log / 1024:,.0f} kB"),
            ("events published", f"{verdict.events:,}"),
            (
                "invalid events among the entries, all of them and nothing else in `dead_letter`",
                f"{len(publisher.planted):,}",
            ),
            ("**events lost**", f"**{verdict.lost:,}**"),
            ("**events doubled**", f"**{verdict.doubled:,}**"),
        ]
        grown = max(samples) - before
        checks = {
            f"a process grew by {_mb(grown)}": grown <= MOST_GROWTH,
            f"waiting took {100 * cpu:.1f} % of a core": cpu <= MOST_CPU,
            "a process ended by itself": worker.is_running() and beat.is_running(),
        }
        return figures, verdict.problems + [problem for problem, holds in checks.items() if not holds]


def _cpu_seconds(pid: int) -> float:
    main = psutil.Process(pid)
    times = [process.cpu_times() for process in (main, *main.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
