"""Limit slow clients and the number of connections. uvicorn alone waits forever for an unfinished request.

`progress-worker serve` uses this protocol. Other servers and proxies have limits of their own.
"""

import resource
from asyncio import TimerHandle, Transport
from contextlib import suppress
from time import monotonic
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from worker.settings import Settings

MAX_HEAD_BYTES = 64 * 1024
"""Maximum size of a request's line and headers, not counting the first packet."""
ANSWER_SECONDS = 60.0
"""How long a client may take to receive an answer."""
OTHER_FILES = 128
"""Open files other than clients and connections to PostgreSQL."""


class SlowClientProtocol(HttpToolsProtocol):
    """Disconnects clients that do not send a whole head in time or do not receive the answer.

    At most `max_clients` are connected. One more replaces the client that has kept us waiting longest for a request or
    the rest of one; if there is none, the new one is disconnected.
    """

    max_clients: ClassVar[int]
    header_seconds: ClassVar[float]

    waiting_since = 0.0
    """By the monotonic clock."""
    _is_in_head = False
    _head_bytes = 0
    _timer: TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether we wait for the client to send a request or the rest of one."""
        return self._awaits_head() or self.cycle.more_body

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        super().connection_made(transport)
        self.waiting_since = monotonic()
        self._start_timer(self.header_seconds)
        if len(self.connections) > self.max_clients:
            waiting = [each for each in self.connections if isinstance(each, SlowClientProtocol) and each.is_waiting]
            oldest = min(waiting, key=lambda each: each.waiting_since)
            self.connections.discard(oldest)  # now: many clients may connect before the loop calls its connection_lost
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        was_in_head = self._is_in_head
        super().data_received(data)
        if self._awaits_head() and not self._timer:  # also while an answered request still sends its body
            self._start_timer(self.header_seconds)
        if was_in_head and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        super().on_headers_complete()
        self._is_in_head = False
        if not self.transport.get_write_buffer_size():
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Called when an answer is written; it may still be buffered."""
        super().on_response_complete()
        self.waiting_since = monotonic()
        if self.transport.get_write_buffer_size() and not self._timer:
            self._start_timer(ANSWER_SECONDS)

    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None at first

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        if self._awaits_head() or self.transport.get_write_buffer_size():
            self.transport.abort()


def protocol(settings: Settings) -> type[SlowClientProtocol]:
    """Return the protocol with the limits of the settings. Raises the process's limit of open files as needed."""
    limits = {
        "max_clients": _client_limit(settings.api_callers, settings.api_connections + OTHER_FILES),
        "header_seconds": settings.api_header_seconds,
    }
    return type("LimitedProtocol", (SlowClientProtocol,), limits)


def _client_limit(clients: int, others: int) -> int:
    """Return how many of these clients the limit of open files allows, at least one, after raising it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + others
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return clients if soft == resource.RLIM_INFINITY else max(1, min(clients, soft - others))
