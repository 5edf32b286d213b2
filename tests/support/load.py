"""A publisher that goes on while things break: it publishes again whatever was not acknowledged."""

import json
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from redis import RedisError

from tests.support.wait import wait_until
from worker.contract.event import partition_key
from worker.settings import Settings
from worker.streams import publish
from worker.streams.connection import connect
from worker.streams.keys import Keys

CHUNK = 50
PAUSE_SECONDS = 0.01


class Load:
    """Publishes the lines in order from a thread of its own; leaving the block waits for the last of them."""

    def __init__(self, settings: Settings, lines: Sequence[bytes], pause_seconds: float = PAUSE_SECONDS) -> None:
        self._settings = settings
        self._lines = lines
        self._pause_seconds = pause_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.published = 0
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        if kind is None:
            self.wait_for(1)
        self._over.set()
        self._thread.join()

    def wait_for(self, share: float) -> None:
        """Wait until this share of the lines is acknowledged."""
        wanted = int(share * len(self._lines))
        wait_until(lambda: self.published >= wanted, 60, f"{wanted} published events; errors: {self.errors[-3:]}")

    def _run(self) -> None:
        keys = Keys(self._settings.stream_key, self._settings.stream_partitions)
        redis = connect(self._settings)
        while self.published < len(self._lines) and not self._over.is_set():
            chunk = self._lines[self.published : self.published + CHUNK]
            bodies = [(keys.stream_for(partition_key(json.loads(line)["data"])), line) for line in chunk]
            try:
                publish.append_many(redis, bodies)
            except RedisError as error:
                self.errors.append(str(error))
            else:
                self.published += len(chunk)
            self._over.wait(self._pause_seconds)
        redis.close()
