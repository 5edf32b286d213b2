"""Limit the size of a request's body and the time it takes to arrive."""

import asyncio
from collections import deque

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


class BodyLimit:
    """The receiving channel of an ASGI call, for the application to use instead of the server's."""

    def __init__(self, receive: Receive, max_bytes: int, max_seconds: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._deadline = asyncio.get_running_loop().time() + max_seconds
        self._is_complete = False
        self._size = 0
        self._read_ahead: deque[Message] = deque()

    async def read_ahead(self, max_bytes: int) -> bytes:
        """Return the body, nothing of a longer one; `receive` gives it again. Raises like `receive`."""
        read = b""
        while not self._is_complete and len(read) <= max_bytes:
            message = await self._receive_next()
            self._read_ahead.append(message)
            read += message.get("body", b"")
        return read if len(read) <= max_bytes else b""

    async def receive(self) -> Message:
        """Return the next part of the body. Raises HTTPException: 413 when it is too large, 408 when it is too slow."""
        return self._read_ahead.popleft() if self._read_ahead else await self._receive_next()

    async def _receive_next(self) -> Message:
        try:
            async with asyncio.timeout_at(None if self._is_complete else self._deadline):
                message = await self._receive()
        except TimeoutError:
            detail = f"The body took longer than {self._max_seconds:g} s. Send it faster, or send less at a time."
            raise HTTPException(408, detail, {"Connection": "close"}) from None
        self._is_complete = not message.get("more_body")
        self._size += len(message.get("body", b""))
        self.require_size(self._size)
        return message

    def require_size(self, size: int) -> None:
        """Raise HTTPException 413 for a body of more bytes than allowed."""
        if size > self._max_bytes:
            raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes. Send less at a time.")
