"""One request and its answer on their way through the gate: what is read is counted, how it ends is noted."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from worker.api.problems import RETRY_SECONDS, problem
from worker.logs import get_logger

log = get_logger(__name__)

HUNG_UP = 499
"""As proxies write it: nobody is left to be answered."""


class Exchange:
    """The two channels of an ASGI call, for the application to use instead of the server's."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int, max_seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._most_bytes = max_bytes
        self._most_seconds = max_seconds
        self._ends_at = asyncio.get_running_loop().time() + max_seconds
        self._is_whole = False
        self._size = 0
        self.status = 0
        """Of the answer; 0 while there is none."""

    @property
    def route(self) -> str | None:
        """The endpoint's template, never the path: a learner's ids are nobody's business in a log."""
        return getattr(self._scope.get("route"), "path_format", None)

    async def receive(self) -> Message:
        """The next part of the body. Raises HTTPException 413 where it has become too large, 408 where it is slow."""
        try:
            async with asyncio.timeout_at(None if self._is_whole else self._ends_at):
                message = await self._receive()
        except TimeoutError:
            detail = f"The body took longer than {self._most_seconds:g} s. Send it faster, or less at a time."
            raise HTTPException(408, detail, {"Connection": "close"}) from None
        self._is_whole = not message.get("more_body")
        self._size += len(message.get("body", b""))
        self.require_size(self._size)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def require_size(self, size: int) -> None:
        """Return when a body may be so large. Raises HTTPException 413."""
        if size > self._most_bytes:
            raise HTTPException(413, f"The body is larger than {self._most_bytes} bytes. Send less at a time.")

    async def fail(self, error: BaseException) -> None:
        """Answer what was raised instead of an answer. Raises what is no failure of this request."""
        if isinstance(error, HTTPException):
            await self._answer(error.status_code, error.detail, error.headers)
        elif isinstance(error, ClientDisconnect):
            self.status = HUNG_UP
        elif isinstance(error, asyncio.CancelledError):
            await self._answer(503, "The server stops. Try again.", {"Retry-After": str(RETRY_SECONDS)})
        elif isinstance(error, Exception):
            log.error("request_crashed", method=self._scope["method"], route=self.route, exc_info=error)
            await self._answer(500, "A defect of ours; it is in the log.")
        else:
            raise error

    async def _answer(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        if not self.status:
            await problem(status, detail, headers=headers)(self._scope, self._receive, self.send)
