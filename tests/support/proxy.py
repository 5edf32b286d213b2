"""A network between a process and one of its servers, whose faults come at a test's command."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, TypeVar

from sqlalchemy import make_url

Answer = TypeVar("Answer")

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""As psycopg sends it: a simple query, by itself, after it has read every earlier answer."""
NOTHING = b"*-1\r\n"
"""Redis' answer to a read when nothing came."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What happens to the bytes of every connection, those that are open included."""

    PASS = auto()
    REFUSE = auto()
    """New connections are reset; open ones go on."""
    SWALLOW = auto()
    """A black hole: connections are accepted, bytes vanish, nothing ends; for ever on those that lost any."""
    SLOW = auto()
    """Every chunk waits for a moment."""
    SLICED = auto()
    """One to seven bytes at a time."""


class Fate(Enum):
    """What becomes of a request that is cut."""

    LOST = auto()
    """It never reaches the server."""
    UNANSWERED = auto()
    """The server has done it and said so; its answer is lost."""


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)
        self.is_dead = False
        """Bytes of it were swallowed: neither side hears anything on it again, not even of its end."""
        self.is_cut = False
        """It is to be reset on both sides."""
        self.awaits_answer = False
        """A request to be cut was let through, the answer to it will not be."""

    def end(self) -> None:
        for each in self.sockets:
            if self.is_cut:
                _reset(each)
            else:
                each.close()


class Proxy:
    """Listens on a port of its own and forwards to the server of `url`; runs in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._mode = Mode.PASS
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._request, self._fate, self._is_to_cut = b"", Fate.LOST, False
        self.delay_seconds = 0.005
        self.opened = self.refused = self.resets = self.swallowed = self.delayed = self.slices = self.cuts = 0
        """What it did: to connections, to chunks of bytes, to requests."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._listener, self._accept)

    @property
    def url(self) -> str:
        """What the process under test is given instead of the server's own."""
        url = self._server.set(host="127.0.0.1", port=self._listener.getsockname()[1])
        url = url.difference_update_query(["host", "port"])
        if url.drivername.startswith("postgresql"):
            url = url.update_query_dict({"sslmode": "disable"})  # or the proxy could not see a COMMIT
        return url.render_as_string(hide_password=False)

    def set(self, mode: Mode) -> None:
        """From now on."""
        self._mode = mode

    def reset(self) -> int:
        """Reset every open connection, on both sides; how many."""
        return self._run(self._reset())

    def cut(self, request: bytes, fate: Fate) -> None:
        """Reset the connection that carries the next request with these bytes, and that alone."""
        self._request, self._fate, self._is_to_cut = request, fate, True

    def close(self) -> None:
        """Reset what is open and listen no longer."""
        self._loop.call_soon_threadsafe(self._loop.remove_reader, self._listener)
        self.reset()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def _run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _reset(self) -> int:
        links, tasks = list(self._links), list(self._links.values())
        self._links.clear()
        for task in tasks:
            task.cancel()  # first: a socket that somebody still reads from is not reset by closing it
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in links:
            link.is_cut = True
            link.end()
        self.resets += len(links)
        return len(links)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._mode is Mode.REFUSE:
            self.refused += 1
            _reset(client)
            return
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        for end in (client, server):
            end.setblocking(False)
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        self._links[link] = self._loop.create_task(self._serve(link))
        self.opened += 1

    def _connect(self) -> socket.socket:
        host, port = (
            str(self._server.query.get(name) or getattr(self._server, name) or "") for name in ("host", "port")
        )
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)), timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    async def _serve(self, link: _Link) -> None:
        """Forward in both directions until one side ends."""
        pumps = [asyncio.create_task(self._pump(link, from_client)) for from_client in (True, False)]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        self._links.pop(link, None)
        link.end()

    async def _pump(self, link: _Link, from_client: bool) -> None:
        source, sink = link.sockets if from_client else reversed(link.sockets)
        while True:
            data = await self._loop.sock_recv(source, 65_536)
            if self._mode is Mode.SWALLOW or link.is_dead:
                link.is_dead = True
                self.swallowed += 1
                if not data:
                    await asyncio.Event().wait()
                continue
            if not data or self._is_cut(link, data, from_client):
                return
            await self._forward(sink, data)

    def _is_cut(self, link: _Link, data: bytes, from_client: bool) -> bool:
        if link.is_cut:
            return True
        if from_client:
            is_meant = self._is_to_cut and self._request in data
            link.awaits_answer = is_meant and self._fate is Fate.UNANSWERED
            link.is_cut = is_meant and self._fate is Fate.LOST
        else:
            link.is_cut = self._is_to_cut and link.awaits_answer and data != NOTHING
        if link.is_cut:
            self._is_to_cut = False
            self.cuts += 1
        return link.is_cut

    async def _forward(self, sink: socket.socket, data: bytes) -> None:
        if self._mode is Mode.SLOW:
            self.delayed += 1
            await asyncio.sleep(self.delay_seconds)
        while self._mode is Mode.SLICED and data:
            length = random.randint(1, 7)
            self.slices += 1
            await self._loop.sock_sendall(sink, data[:length])
            data = data[length:]
        await self._loop.sock_sendall(sink, data)


def _reset(end: socket.socket) -> None:
    if end.family == socket.AF_INET:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    end.close()


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy for the length of the block."""
    made = Proxy(url)
    try:
        yield made
    finally:
        made.close()
