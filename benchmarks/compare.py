"""This worker side by side with other ways to do the same, and with the limit: what PostgreSQL alone can take.

    make bench                    about half an hour
    make bench ARGS=--quick       about a quarter: one round instead of three
    make bench ARGS='--only worker_2 --only limit_2'
    make bench ARGS=--growth      this worker alone, with tables and backlogs that grow: `benchmarks/growth.py`
    make bench ARGS=--names       this worker alone, names against numbers: `benchmarks/names.py`

Embedded servers on the loopback address; for each run a fresh database, an empty Redis and fresh processes. The
contenders take turns, so that a noisy moment hits all of them; medians of the rounds count. Each is given as many
events as keep it busy for ten seconds: a shorter run is mostly getting going, and two processes look like one. After
each run the rows of `user_course_progress` and the positions in `user_course` are compared with the rules in plain
Python. How the clock runs: `benchmarks/contenders/contender.py`. Tables go to the terminal, figures to
`benchmarks/out/latest.json`, a plot to `benchmarks/out/latest.svg`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console

from benchmarks import growth, names, plot, report
from benchmarks.contenders.celery_batches import CeleryBatches
from benchmarks.contenders.celery_task import CeleryTask
from benchmarks.contenders.contender import Contender, Measured
from benchmarks.contenders.dramatiq_task import DramatiqTask
from benchmarks.contenders.faststream_batch import FastStreamBatch
from benchmarks.contenders.limit import Limit
from benchmarks.contenders.this_worker import ThisWorker
from benchmarks.events import Log, Logs, stored
from benchmarks.latency import Spans, make_latency_log, measure_latency
from benchmarks.place import Ground, ground
from benchmarks.publishing import measure_single

ROUNDS = 3
QUICK_ROUNDS = 1
SECONDS = 10.0
SHARES = (0.1, 0.5, 0.9)
"""Of what 2 processes of this worker can take; latency is measured there, and at 1,000 events a second."""
BATCH_SIZES = (10, 100, 500, 1_000, 2_000, 5_000)
BATCHES = 200
"""At most so many of each size."""
PUBLISHED = 5_000
"""One by one."""

CONTENDERS: Sequence[Contender] = (
    ThisWorker(2),
    ThisWorker(1),
    ThisWorker(2, partitioned=False),
    ThisWorker(1, partitioned=False),
    FastStreamBatch(),
    CeleryBatches(),
    DramatiqTask(),
    CeleryTask(),
    Limit(2),
    Limit(1),
)


def measure(where: Ground, contender: Contender, log: Log) -> Measured:
    """One run; raises AssertionError when the rows are not those of the rules."""
    with where.place() as place:
        measured = contender.measure(place, log)
        assert stored(place.engine) == log.expected, f"{contender.title}: the rows differ"
    return measured


def measure_long(where: Ground, contender: Contender, logs: Logs, seconds: float) -> tuple[int, Measured]:
    """One run that takes at least so many seconds, and the number of its events."""
    events = int(1.2 * seconds * contender.rate)
    while (measured := measure(where, contender, logs.of(events))).seconds < seconds:
        events = int(events * min(4.0, 1.2 * seconds / measured.seconds)) + 1
    return events, measured


def measure_aside(where: Ground, logs: Logs, capacity: float, seconds: float) -> report.Aside:
    """This worker's latency; the limit by batch size; publishing one by one."""
    latencies, rates = [], {}
    spans = Spans.within(seconds)
    for rate in (1_000, *(share * capacity for share in SHARES)):
        enough = make_latency_log(rate, spans)
        with where.place() as place:
            latencies.append(measure_latency(place, enough, rate, spans))
    for size in BATCH_SIZES:
        part = logs.of(min(BATCHES * size, int(seconds * Limit(1).rate)))
        rates[size] = len(part.timed) / measure(where, Limit(1, size), part).seconds
    with where.place() as place:
        return report.Aside(latencies, rates, measure_single(place, logs.of(PUBLISHED)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, {QUICK_ROUNDS} with --quick")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of each run at least; default: %(default)g, less is a trial"
    )
    parser.add_argument(
        "--only", action="append", choices=[each.key for each in CONTENDERS], help="measure these contenders alone"
    )
    parser.add_argument("--growth", action="store_true", help="measure growth alone instead of comparing")
    parser.add_argument("--names", action="store_true", help="measure what names cost instead of comparing")
    parser.add_argument("--events", type=int, default=names.EVENTS, help="of --names; default: %(default)s")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of growth and the maps of names: multiply every size, for a trial"
    )
    parser.add_argument("--backlog", type=int, help=f"of growth: events of the backlog, default: {growth.BACKLOG:,}")
    arguments = parser.parse_args()
    command = f"make bench ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else "make bench"
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    chosen = [each for each in CONTENDERS if arguments.only is None or each.key in arguments.only]

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    if arguments.growth:
        growth.run(console, rounds, arguments.scale, arguments.backlog, command)
        console.print(f"{report.FILE} written")
        return
    if arguments.names:
        maps = [max(1, int(size * arguments.scale)) for size in names.MAPS]
        names.run(console, rounds, arguments.events, maps, command)
        console.print(f"{report.FILE} written")
        return
    logs = Logs(int(1.2 * arguments.seconds * max(each.rate for each in chosen)))
    results: dict[str, report.Result] = {}
    with ground(logs.of(1).enrollments) as where:
        for number in range(1, rounds + 1):
            for contender in chosen:
                if number == 1:
                    events, measured = measure_long(where, contender, logs, arguments.seconds)
                    results[contender.key] = report.Result(contender.title, events, [measured])
                else:
                    result = results[contender.key]
                    result.runs.append(measure(where, contender, logs.of(result.events)))
                rate = results[contender.key].rates[-1]
                console.print(f"round {number}  {contender.title:50} {rate:8,.0f} events/s  rows equal")
        aside = report.Aside()
        if not arguments.only:
            aside = measure_aside(where, logs, results["worker_2"].rate, arguments.seconds)
    report.show(console, results, rounds)
    report.show_aside(console, aside)
    report.write(results, command, aside)
    plot.write(results)
    console.print(f"{report.FILE} and {plot.FILE} written")


if __name__ == "__main__":
    main()
