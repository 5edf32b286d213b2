"""Figures of a comparison: medians, ratios, tables, JSON."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.backlog import Backlog
from benchmarks.contenders.contender import Measured
from benchmarks.latency import Latency

OUT = Path(os.environ.get("BENCH_OUT", Path(__file__).parent / "out"))
FILE = OUT / "latest.json"

PERCENTILES = (0.5, 0.95, 0.99)
RATIOS = {
    "celery": ("worker_2", "celery", 65.0),
    "celery_batches": ("worker_2", "celery_batches", 32.0),
    "dramatiq": ("worker_2", "dramatiq", None),
    "faststream": ("worker_2", "faststream", 1.25),
    "limit": ("worker_1", "limit_1", 0.85),
    "two_processes": ("worker_2", "limit_2", 0.6),
    "limit_split": ("limit_2", "limit_1", 1.8),
}
"""By name: whose events a second are divided by whose, and what is wanted at least."""


@dataclass
class Result:
    """A contender's runs, each over so many events."""

    title: str
    events: int
    runs: list[Measured] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Events a second, run by run."""
        return [self.events / run.seconds for run in self.runs]

    @property
    def rate(self) -> float:
        """Their median."""
        return statistics.median(self.rates)

    def cost(self, name: str) -> float:
        """A member of the runs' usage for each event, their median."""
        return statistics.median(float(getattr(run.usage, name)) / self.events for run in self.runs)

    @property
    def hot_share(self) -> float:
        """Of the rows updated, those updated without a new index entry."""
        return statistics.median(run.usage.hot_share for run in self.runs)

    def median(self, name: str) -> float | None:
        """Of a member of the runs that not every contender has."""
        values = [getattr(run, name) for run in self.runs]
        return None if None in values else statistics.median(values)

    @property
    def publishing_rate(self) -> float | None:
        """Events published a second."""
        seconds = self.median("publishing_seconds")
        return None if seconds is None else self.events / seconds

    @property
    def redis_bytes(self) -> float | None:
        """Memory of Redis for each waiting event."""
        whole = self.median("redis_bytes")
        return None if whole is None else whole / self.events


Results = Mapping[str, Result]


@dataclass(frozen=True)
class Aside:
    """What is measured once beside the comparison."""

    latencies: Sequence[Latency] = ()
    batch_sizes: Mapping[int, float] = field(default_factory=dict)
    """Events a second of the limit, 1 connection, by events in a batch."""
    single_publishing: float | None = None
    """Events a second, each with a call of its own."""


def ratios(results: Results) -> dict[str, float]:
    """Those of which both sides were measured."""
    return {
        name: results[ours].rate / results[theirs].rate
        for name, (ours, theirs, _) in RATIOS.items()
        if ours in results and theirs in results
    }


def show(console: Console, results: Results, rounds: int) -> None:
    """Print the tables."""
    table = Table(title=f"Events a second, median of {rounds}, and what an event costs")
    table.add_column("contender")
    for column in ("events", "events/s", "least", "most", "CPU µs: worker", "PostgreSQL", "Redis", "WAL bytes", "HOT"):
        table.add_column(column, justify="right")
    for result in results.values():
        cpu = [f"{1e6 * result.cost(name):,.0f}" for name in ("workers", "postgresql", "redis")]
        rates = [f"{rate:,.0f}" for rate in (result.rate, min(result.rates), max(result.rates))]
        wal_and_hot = f"{result.cost('wal_bytes'):,.0f}", f"{result.hot_share:.0%}"
        table.add_row(result.title, f"{result.events:,}", *rates, *cpu, *wal_and_hot)
    console.print(table)
    table = Table(title="Queue and memory")
    table.add_column("contender")
    for column in ("published/s", "Redis bytes per waiting event", "MB of the largest process"):
        table.add_column(column, justify="right")
    for result in results.values():
        figures = (result.publishing_rate, result.redis_bytes, result.median("megabytes"))
        if None not in figures:
            table.add_row(result.title, *(f"{figure:,.0f}" for figure in figures))
    console.print(table)
    table = Table(title="Ratios")
    table.add_column("name")
    table.add_column("what")
    for column in ("ratio", "at least"):
        table.add_column(column, justify="right")
    for name, ratio in ratios(results).items():
        ours, theirs, wanted = RATIOS[name]
        what = f"{results[ours].title} ÷ {results[theirs].title}"
        table.add_row(name, what, f"{ratio:.2f}", "" if wanted is None else f"{wanted:g}")
    console.print(table)


def show_aside(console: Console, aside: Aside) -> None:
    """Print the tables of what was measured."""
    if aside.latencies:
        _show_latencies(console, aside.latencies)
    if aside.batch_sizes:
        _show_batch_sizes(console, aside.batch_sizes)
    if aside.single_publishing:
        console.print(f"Published one by one: {aside.single_publishing:,.0f} events a second")


def _show_latencies(console: Console, latencies: Sequence[Latency]) -> None:
    table = Table(title="Milliseconds from publishing to the row, this worker, 2 processes")
    for column in ("events/s meanwhile", "samples", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    for each in latencies:
        shares = [f"{each.percentile(share):,.1f}" for share in PERCENTILES]
        table.add_row(f"{each.rate:,.0f}", str(len(each.samples)), *shares)
    console.print(table)


def _show_batch_sizes(console: Console, rates: Mapping[int, float]) -> None:
    table = Table(title="The limit, 1 connection, by events in a batch")
    for column in ("events in a batch", "events/s", "against 1,000"):
        table.add_column(column, justify="right")
    for size, rate in rates.items():
        table.add_row(f"{size:,}", f"{rate:,.0f}", f"{rate / rates[1_000]:.2f}")
    console.print(table)


def show_growth(console: Console, results: Results, summaries: Sequence[float], scale: float) -> None:
    """Print a table."""
    trial = "" if scale == 1 else f"; a trial, sizes times {scale:g}"
    table = Table(title=f"Growth: this worker, 2 processes, medians{trial}")
    table.add_column("what")
    for column in ("events", "events/s", "least", "most", "against the first", "PostgreSQL CPU µs", "WAL bytes"):
        table.add_column(column, justify="right")
    for key, result in results.items():
        rates = [f"{rate:,.0f}" for rate in (result.rate, min(result.rates), max(result.rates))]
        costs = [f"{1e6 * result.cost('postgresql'):,.0f}", f"{result.cost('wal_bytes'):,.0f}"]
        table.add_row(result.title, f"{result.events:,}", *rates, f"{against_first(results, key):.2f}", *costs)
    console.print(table)
    console.print(f"Summaries refreshed a second, 1 process: {statistics.median(summaries):,.0f}")


def show_backlog(console: Console, backlog: Backlog) -> None:
    """Print a table."""
    table = Table(title=f"A backlog of {backlog.events:,} events")
    for column in ("tenth", "events/s", "MB of the largest process"):
        table.add_column(column, justify="right")
    for tenth, (rate, megabytes) in enumerate(zip(backlog.rates, backlog.megabytes, strict=True), 1):
        table.add_row(str(tenth), f"{rate:,.0f}", f"{megabytes:,.1f}")
    table.add_row("all", f"{backlog.rate:,.0f}", f"at most {backlog.max_megabytes:,.1f}")
    console.print(table)


def against_first(results: Results, key: str) -> float:
    """Its events a second divided by those of the first of its kind, the word before the size."""
    kind = key.partition("_")[0]
    return results[key].rate / next(result.rate for each, result in results.items() if each.partition("_")[0] == kind)


def write_growth(results: Results, summaries: Sequence[float], backlog: Backlog, scale: float, command: str) -> None:
    """Write the figures to FILE, beside those of a comparison; a trial's ratio is not among the ratios."""
    content = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    ratio = round(against_first(results, "ledger_5000000"), 3)
    others = {name: each for name, each in content.get("ratios", {}).items() if name != "growth_5m"}
    content["ratios"] = others | ({"growth_5m": ratio} if scale == 1 else {})
    content["growth"] = {
        **_circumstances(command),
        "scale": scale,
        "ledger_ratio": ratio,
        "cases": {
            key: {
                "title": result.title,
                "events": result.events,
                "events_per_second": round(result.rate),
                "each_round": [round(rate) for rate in result.rates],
                "against_first": round(against_first(results, key), 3),
                "postgresql_cpu_seconds_per_event": result.cost("postgresql"),
                "wal_bytes_per_event": round(result.cost("wal_bytes")),
                "hot_update_share": round(result.hot_share, 3),
            }
            for key, result in results.items()
        },
        "summaries_per_second": round(statistics.median(summaries)),
        "summaries_each_round": [round(rate) for rate in summaries],
        "backlog": {
            "events": backlog.events,
            "events_per_second": round(backlog.rate),
            "each_tenth": [round(rate) for rate in backlog.rates],
            "megabytes_each_tenth": backlog.megabytes,
            "max_megabytes": backlog.max_megabytes,
        },
    }
    _write(content)


def write(results: Results, command: str, aside: Aside) -> None:
    """Write the figures to FILE."""
    content = {
        **_circumstances(command),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios(results).items()},
        "contenders": {
            key: {
                "title": result.title,
                "events": result.events,
                "events_per_second": round(result.rate),
                "each_round": [round(rate) for rate in result.rates],
                "worker_cpu_seconds_per_event": result.cost("workers"),
                "postgresql_cpu_seconds_per_event": result.cost("postgresql"),
                "redis_cpu_seconds_per_event": result.cost("redis"),
                "wal_bytes_per_event": round(result.cost("wal_bytes")),
                "hot_update_share": round(result.hot_share, 3),
                "published_per_second": result.publishing_rate,
                "redis_bytes_per_event": result.redis_bytes,
                "megabytes": result.median("megabytes"),
            }
            for key, result in results.items()
        },
        "latency_milliseconds": [
            {"rate": each.rate} | {f"p{int(100 * share)}": each.percentile(share) for share in PERCENTILES}
            for each in aside.latencies
        ],
        "limit_by_batch_size": aside.batch_sizes,
        "published_one_by_one_per_second": aside.single_publishing,
    }
    _write(content)


def _circumstances(command: str) -> dict[str, object]:
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def _write(content: Mapping[str, object]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_names(figures: Mapping[str, object], command: str) -> None:
    """Write the figures of `benchmarks/names.py`."""
    _write({"names": {**figures, **_circumstances(command)}})
