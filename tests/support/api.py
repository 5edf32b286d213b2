"""The HTTP API on a real socket: in a thread of the test's process, or as `progress-worker serve`."""

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from tests.support.wait import wait_until
from worker.api.app import create_app
from worker.settings import Settings


class _Server(uvicorn.Server):
    """Looks ten times as often whether it is to end."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(0.01)


@contextmanager
def served(settings: Settings, **headers: str) -> Iterator[httpx.Client]:
    """A client of the API on these settings, which sends the headers; keywords name them with underscores."""
    app = create_app(settings)
    generate = app.openapi
    setattr(app, "openapi", dict)  # noqa: B010 - the document takes as long as a test: made only where it is asked for
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="the API")
        setattr(app, "openapi", generate)  # noqa: B010
        port = server.servers[0].sockets[0].getsockname()[1]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=named, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the API does not end"


class ServeProcess:
    """`progress-worker serve` as a process; `url` is where it listens."""

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.cli.main", "serve", "--port", "0", *arguments],
                cwd=Path.home().root,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.url = wait_until(self._address, 30, "the API's address")

    def _address(self) -> str:
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r"Listening on (http://\S+),", self.log.read_text())
        return found.group(1) if found else ""

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
