"""Carry what Open edX's event bus has for us to our streams: every entry at least once, which counts once."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from threading import Event

import structlog

from worker.adapters import edx
from worker.adapters.edx_bus import read_entry
from worker.adapters.translation import translate
from worker.client import EventPublisher
from worker.contract.connection import Connection
from worker.errors import ServerUnavailableError
from worker.settings import Settings
from worker.streams import event_bus
from worker.streams.connection import Redis, explained
from worker.streams.event_bus import BusEntry
from worker.streams.keys import Keys

BATCH = 500
"""Maximum number of entries of a stream held at a time."""
BLOCK_SECONDS = 1.0
"""How long one read waits, and so a signal."""
CHECK_SECONDS = 10.0
"""How often it is measured what waits."""
REPORT_SECONDS = 60.0
RETRY_SECONDS = 2.0

VARIABLE = "PROGRESS_EDX_BUS_URL"

log = structlog.get_logger(__name__)


@dataclass
class EdxBusBridge:
    """Reads the topics as its own consumer group, and acknowledges an entry once our Redis has what became of it."""

    bus: Redis
    bus_settings: Settings
    """Whose `redis_url` is the bus's."""
    topics: Sequence[str]
    max_length: int
    """About where the bus trims its streams."""
    publisher: EventPublisher
    settings: Settings
    connection: Connection
    counts: Counter[str] = field(default_factory=lambda: Counter(entries=0, events=0, ignored=0, rejected=0))
    """Since the start: entries, and the events, ignored and rejected records that they became."""
    _is_behind: bool = field(default=True, init=False)
    """Whether there may be entries that were read and not acknowledged."""
    _check_at: float = field(default=0.0, init=False)
    _report_at: float = field(default=0.0, init=False)

    @cached_property
    def group(self) -> str:
        """The consumer group, the same as on our own streams."""
        return Keys.of(self.settings).group

    def run(self, stop: Event) -> None:
        """Carry until `stop` is set; if a server is away later than at the start, try again.

        Raises ServerUnavailableError at the start.
        """
        with explained(self.settings):
            self.publisher.clock()
        self._create_groups()
        log.info("bridge_started", topics=list(self.topics), group=self.group, connection=self.connection.name)
        self._report_at = time.monotonic() + REPORT_SECONDS
        while not stop.is_set():
            try:
                with explained(self.bus_settings, VARIABLE):
                    self._step()
            except ServerUnavailableError as error:
                log.warning("bridge_waits", detail=str(error))
                self._is_behind = True
                self._recover(stop)
        log.info("bridge_stopped", **self.counts)

    def _step(self) -> None:
        self._check()
        if self._is_behind:
            entries = event_bus.read_again(self.bus, self.group, self.topics, BATCH)
            self._is_behind = bool(entries)
        else:
            entries = event_bus.read_new(self.bus, self.group, self.topics, BATCH, BLOCK_SECONDS)
        if entries:
            self._carry(entries)
        if time.monotonic() >= self._report_at:
            log.info("bridge_progress", **self.counts)
            self._report_at = time.monotonic() + REPORT_SECONDS

    def _carry(self, entries: Sequence[BusEntry]) -> None:
        arrived = datetime.now(UTC)
        messages: list[tuple[int | None, bytes]] = []
        counts = Counter(entries=len(entries))
        for entry in entries:
            if entry.fields is None:
                counts["lost"] += 1
                continue
            translation = translate(read_entry(entry.fields), "edx", edx.translate, self.connection, arrived)
            messages += translation.messages
            counts["events"] += len(translation.events)
            counts["ignored"] += translation.ignored is not None
            counts["rejected"] += translation.rejected is not None
        with explained(self.settings):
            self.publisher.publish_raw(messages)
        event_bus.acknowledge(self.bus, self.group, entries)
        self.counts.update(counts)
        if counts["lost"]:
            log.error("bridge_lost", entries=counts["lost"])

    def _check(self) -> None:
        """Warn of what waits: the bus trims its streams, whether we have read them or not."""
        if time.monotonic() < self._check_at:
            return
        for waiting in event_bus.measure(self.bus, self.group, self.topics):
            if waiting.lost:
                log.error("bridge_lost", topic=waiting.stream, entries=waiting.lost)
            if waiting.entries >= self.max_length / 2:
                log.warning("bridge_lags", topic=waiting.stream, entries=waiting.entries, trimmed_at=self.max_length)
        self._check_at = time.monotonic() + CHECK_SECONDS

    def _create_groups(self) -> None:
        with explained(self.bus_settings, VARIABLE):
            event_bus.create_groups(self.bus, self.group, self.topics)

    def _recover(self, stop: Event) -> None:
        """Wait a little, then create groups that a restored or emptied Redis has lost."""
        if not stop.wait(RETRY_SECONDS):
            with suppress(ServerUnavailableError):  # which the next step reports
                self._create_groups()
