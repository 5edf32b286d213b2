"""Log each request once, and answer the errors that no exception handler has."""

import asyncio
import time
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from worker.api.problems import RETRY_SECONDS, problem_response
from worker.logs import get_logger

log = get_logger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that disconnects before the answer."""


class RequestLog:
    """One request, its status and its duration so far."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = time.perf_counter()
        self.status = 0
        """The answer's status; 0 until it starts."""

    @property
    def _route(self) -> str | None:
        """The endpoint's template. The path itself has a learner's ids, which the log must not show."""
        return getattr(self._scope.get("route"), "path_format", None)

    async def send(self, message: Message) -> None:
        """Send a part of the answer and record its status."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def handle_error(self, error: BaseException) -> None:
        """Answer an error raised in place of an answer. Raises it again unless it belongs to this request."""
        if isinstance(error, HTTPException):
            await self._answer(error.status_code, error.detail, error.headers)
        elif isinstance(error, ClientDisconnect):
            self.status = CLIENT_CLOSED_REQUEST
        elif isinstance(error, asyncio.CancelledError):
            await self._answer(503, "The server is stopping. Try again.", {"Retry-After": str(RETRY_SECONDS)})
        elif isinstance(error, Exception):
            log.error("request_crashed", method=self._scope["method"], route=self._route, exc_info=error)
            await self._answer(500, "Internal error. It has been logged.")
        else:
            raise error

    def write(self, client: str | None) -> None:
        """Log the request with the name of its token."""
        log.info(
            "request_served",
            method=self._scope["method"],
            route=self._route,
            status=self.status,
            seconds=round(time.perf_counter() - self._started, 4),
            client=client,
        )

    async def _answer(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        if not self.status:
            await problem_response(status, detail, headers=headers)(self._scope, self._receive, self.send)
