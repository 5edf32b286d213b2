"""Connections of callers who are slow, or many: uvicorn by itself gives an unfinished request all the time there is.

`progress-worker serve` speaks through this. Other servers, and proxies, have limits of their own.
"""

import resource
from asyncio import TimerHandle, Transport
from contextlib import suppress
from time import monotonic
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from worker.settings import Settings

MOST_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers, but for what comes with the first packet."""
TAKING_SECONDS = 60.0
"""How long a caller may take to receive an answer."""
OTHER_FILES = 128
"""Open files that are neither callers nor connections to PostgreSQL."""


class ImpatientProtocol(HttpToolsProtocol):
    """Hangs up on who sends no whole head in time, or does not take the answer.

    At most `max_callers` are connected: for one more the one gives way that has owed a request, or the rest of one,
    for longest; where nobody does, the newcomer.
    """

    max_callers: ClassVar[int]
    header_seconds: ClassVar[float]

    owing_since = 0.0
    """By the monotonic clock."""
    _is_in_head = False
    _head_bytes = 0
    _deadline: TimerHandle | None = None

    @property
    def is_owing(self) -> bool:
        """The caller has yet to send a request, or the rest of one."""
        return self._awaits_head() or self.cycle.more_body

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        super().connection_made(transport)
        self.owing_since = monotonic()
        self._expect(self.header_seconds)
        if len(self.connections) > self.max_callers:
            owing = [each for each in self.connections if isinstance(each, ImpatientProtocol) and each.is_owing]
            first = min(owing, key=lambda each: each.owing_since)
            self.connections.discard(first)  # at once: many may come before the loop tells it that it is lost
            first.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._content()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        was_in_head = self._is_in_head
        super().data_received(data)
        if self._awaits_head() and not self._deadline:  # also while the body of an answered request goes on
            self._expect(self.header_seconds)
        if was_in_head and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
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
            self._content()

    def on_response_complete(self) -> None:
        """Called when an answer is written, which may wait here for the caller to take it."""
        super().on_response_complete()
        self.owing_since = monotonic()
        if self.transport.get_write_buffer_size() and not self._deadline:
            self._expect(TAKING_SECONDS)

    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None at first

    def _expect(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _content(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._awaits_head() or self.transport.get_write_buffer_size():
            self.transport.abort()


def protocol(settings: Settings) -> type[ImpatientProtocol]:
    """The protocol with the limits of the settings; raises this process's limit of open files as far as it needs."""
    limits = {
        "max_callers": _room_for(settings.api_callers, settings.api_connections + OTHER_FILES),
        "header_seconds": settings.api_header_seconds,
    }
    return type("LimitedProtocol", (ImpatientProtocol,), limits)


def _room_for(callers: int, others: int) -> int:
    """As many callers as may be, of those wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = callers + others
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return callers if soft == resource.RLIM_INFINITY else max(1, min(callers, soft - others))
