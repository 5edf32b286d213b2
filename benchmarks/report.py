"""Figures of a comparison: medians, ratios, tables, JSON."""

import json
import os
import platform
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contenders.contender import Measured

FILE = Path(__file__).parent / "out" / "latest.json"

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


Results = Mapping[str, Result]


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
    for column in ("events", "events/s", "least", "most", "CPU µs: worker", "PostgreSQL", "Redis", "WAL bytes"):
        table.add_column(column, justify="right")
    for result in results.values():
        cpu = [f"{1e6 * result.cost(name):,.0f}" for name in ("workers", "postgresql", "redis")]
        rates = [f"{rate:,.0f}" for rate in (result.rate, min(result.rates), max(result.rates))]
        table.add_row(result.title, f"{result.events:,}", *rates, *cpu, f"{result.cost('wal_bytes'):,.0f}")
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


def write(results: Results, command: str) -> None:
    """Write the figures to FILE."""
    content = {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
        },
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
            }
            for key, result in results.items()
        },
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
