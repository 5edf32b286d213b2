"""The status as Prometheus gauges, in base units.

Missing values are reported as 0 where equivalent, so that alerts end; otherwise omitted. See each help text.
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
    "progress_stream_lag": ("Entries not yet delivered to a consumer", lambda each: each.lag),
    "progress_stream_pending": ("Entries delivered to a consumer and not yet acknowledged", lambda each: each.pending),
    "progress_stream_consumers": (
        "Consumers of the stream, including recently dead ones",
        lambda each: each.consumers,
    ),
    "progress_stream_oldest_unread_seconds": (
        "Age of the oldest entry not yet delivered to a consumer, 0 if there is none",
        lambda each: each.oldest_unread_seconds or 0,
    ),
    "progress_stream_oldest_pending_seconds": (
        "Age of the oldest pending entry, 0 if there is none",
        lambda each: each.oldest_pending_seconds or 0,
    ),
}
"""Gauges of a stream: name → help text and value."""

ACCOUNT_GAUGES: dict[str, tuple[str, Callable[[Account], float]]] = {
    "progress_stream_acknowledged": ("Entries acknowledged, total", lambda each: each.acknowledged),
    "progress_stream_vanished": (
        "Entries that vanished from the stream before they were acknowledged, total",
        lambda each: each.vanished,
    ),
}
"""Gauges of a stream's account. They decrease only if Redis is flushed."""


class StatusCollector(Collector):
    """All gauges of one status."""

    def __init__(self, found: Status) -> None:
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge, including those without samples."""
        found = self._found
        for name, (help_text, value) in STREAM_GAUGES.items():
            yield _stream_gauge(name, help_text, {each.stream: value(each) for each in found.streams})
        for name, (help_text, total) in ACCOUNT_GAUGES.items():
            yield _stream_gauge(name, help_text, {stream: total(each) for stream, each in found.accounts.items()})
        yield _stream_gauge(
            "progress_stream_stray",
            "1 for a stream beyond the configured partitions, else 0",
            {each.stream: each.stream in found.stray_streams for each in found.streams},
        )
        yield _gauge(
            "progress_dead_letters",
            "Entries that could not be applied, by reason. 0 for reasons without entries.",
            "reason",
            {**{reason.value: 0 for reason in Reason}, **found.dead_letters},
        )
        yield _gauge(
            "progress_table_rows",
            "Rows of the table; PostgreSQL's estimate for large tables.",
            "table",
            {name: count.rows for name, count in found.rows.items()},
        )
        yield _gauge(
            "progress_table_bytes",
            "Size of the table on disk, including its indexes.",
            "table",
            {name: count.bytes for name, count in found.rows.items()},
        )
        yield _gauge(
            "progress_names",
            "Names in the map, by kind; above 10,000 PostgreSQL's estimate.",
            "kind",
            found.names,
        )
        yield _gauge(
            "progress_rollup_behind_seconds",
            "Age of the oldest change that the rollup does not include, except failed refreshes; 0 when it is current.",
            "rollup",
            {name: rollup.behind_seconds for name, rollup in found.rollups.items()},
        )
        yield _gauge(
            "progress_refresh_failed",
            "Enrollments or courses that the rollup could not compute and will retry.",
            "rollup",
            {name: found.failed[name].number if name in found.failed else 0 for name in found.rollups},
        )
        yield GaugeMetricFamily(
            "progress_degraded", "Parts of the work that fail while everything else goes on.", len(found.degradation)
        )
        yield GaugeMetricFamily(
            "progress_superseded_events",
            "Enrollments and outlines older than the stored ones, total. 0 if there were none.",
            found.totals.superseded,
        )
        yield GaugeMetricFamily(
            "progress_dropped_members",
            "Invalid optional members of events that were applied, total. 0 if there were none.",
            found.totals.dropped_members,
        )
        yield GaugeMetricFamily(
            "progress_doubtful_events",
            "Events dated before their enrollment was created, according to the stored activity.",
            found.doubtful.events,
        )
        last = found.last_recorded_at
        yield GaugeMetricFamily(
            "progress_last_recorded_timestamp_seconds",
            "Unix time at which the newest ledger row was recorded. Omitted if there is none.",
            None if last is None else last.timestamp(),
        )


def exposition(found: Status) -> bytes:
    """Return the status in Prometheus' text format (UTF-8), for a file or an HTTP response."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(found))
    return generate_latest(registry)


def _stream_gauge(name: str, help_text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    return _gauge(name, f"{help_text}. Omitted for streams that do not exist yet.", "stream", values)


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, help_text, labels=[label])
    for label_value, value in values.items():
        gauge.add_metric([label_value], value)
    return gauge
