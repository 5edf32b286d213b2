"""The status as Prometheus reads it: gauges in base units.

What is absent is 0 where 0 says the same, so that an alert on it ends; elsewhere its sample is left out. Which of both,
the help texts tell.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.contract.entry import Reason
from worker.ops.status import Status
from worker.streams.accounting import Account
from worker.streams.backlog import Backlog

STREAM_GAUGES: dict[str, tuple[str, Callable[[Backlog], float]]] = {
    "progress_stream_length": ("Entries in the stream", lambda each: each.length),
    "progress_stream_lag": ("Entries that no consumer was given yet", lambda each: each.lag),
    "progress_stream_pending": ("Entries given to a consumer and not acknowledged yet", lambda each: each.pending),
    "progress_stream_consumers": ("Consumers of the stream, those that died lately too", lambda each: each.consumers),
    "progress_stream_oldest_unread_seconds": (
        "Age of the oldest entry that no consumer was given yet, 0 when there is none",
        lambda each: each.oldest_unread_seconds or 0,
    ),
    "progress_stream_oldest_pending_seconds": (
        "Age of the oldest pending entry, 0 when there is none",
        lambda each: each.oldest_pending_seconds or 0,
    ),
}
"""Name → help text, and what it shows of a stream."""

ACCOUNT_GAUGES: dict[str, tuple[str, Callable[[Account], float]]] = {
    "progress_stream_acknowledged": ("Entries acknowledged so far", lambda each: each.acknowledged),
    "progress_stream_vanished": (
        "Entries that vanished from the stream before anyone had acknowledged them, so far",
        lambda each: each.vanished,
    ),
}
"""The same for a stream's account. Both only rise, but for a flush of Redis."""


class StatusCollector(Collector):
    """Every gauge of one status."""

    def __init__(self, found: Status) -> None:
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, those without a sample too."""
        found = self._found
        for name, (meaning, value) in STREAM_GAUGES.items():
            yield _stream_gauge(name, meaning, {each.stream: value(each) for each in found.streams})
        for name, (meaning, total) in ACCOUNT_GAUGES.items():
            yield _stream_gauge(name, meaning, {stream: total(each) for stream, each in found.accounts.items()})
        yield _stream_gauge(
            "progress_stream_stray",
            "1 for a stream beyond the number of partitions, else 0",
            {each.stream: each.stream in found.stray_streams for each in found.streams},
        )
        yield _gauge(
            "progress_dead_letters",
            "Entries that could not be applied, or not yet. 0 for a reason that none has.",
            "reason",
            {**{reason.value: 0 for reason in Reason}, **found.dead_letters},
        )
        yield _gauge(
            "progress_table_rows",
            "Rows of the table; PostgreSQL's estimate when it is large.",
            "table",
            {name: count.rows for name, count in found.rows.items()},
        )
        yield _gauge(
            "progress_table_bytes",
            "Size of the table on disk, with its indexes.",
            "table",
            {name: count.bytes for name, count in found.rows.items()},
        )
        yield _gauge(
            "progress_rollup_behind_seconds",
            "Age of the oldest change that the rollup does not show, but for what failed; 0 when it is up to date.",
            "rollup",
            {name: rollup.behind_seconds for name, rollup in found.rollups.items()},
        )
        yield _gauge(
            "progress_refresh_failed",
            "Enrollments, or courses, that the rollup could not compute and tries again later.",
            "rollup",
            {name: found.failed[name].number if name in found.failed else 0 for name in found.rollups},
        )
        yield GaugeMetricFamily(
            "progress_degraded", "Parts of the work that are not done while everything else is.", len(found.degradation)
        )
        yield GaugeMetricFamily(
            "progress_superseded_events",
            "Enrollments and outlines that were older than the known ones, so far. 0 when there was none.",
            found.totals.superseded,
        )
        yield GaugeMetricFamily(
            "progress_dropped_members",
            "Optional members that were not valid; their events were applied, so far. 0 when there was none.",
            found.totals.dropped_members,
        )
        yield GaugeMetricFamily(
            "progress_doubtful_events",
            "Events dated before their enrollment was made, as the stored activity shows them.",
            found.doubtful.events,
        )
        last = found.last_recorded_at
        yield GaugeMetricFamily(
            "progress_last_recorded_timestamp_seconds",
            "Unix time at which the newest ledger row was recorded. Left out when there is none.",
            None if last is None else last.timestamp(),
        )


def exposition(found: Status) -> bytes:
    """The status in Prometheus' text format (UTF-8), for a file or an HTTP response."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(found))
    return generate_latest(registry)


def _stream_gauge(name: str, meaning: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    return _gauge(name, f"{meaning}. A stream that does not exist yet is left out.", "stream", values)


def _gauge(name: str, meaning: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, meaning, labels=[label])
    for label_value, value in values.items():
        gauge.add_metric([label_value], value)
    return gauge
