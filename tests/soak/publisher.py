"""An LMS that publishes in bursts as long as the soak goes on, with duplicates, disorder and some invalid events."""

import json
import random
import threading
import time
from types import TracebackType
from typing import Self

from redis import RedisError

from tests.support.cohorts import Cohorts
from worker.contract.event import partition_key
from worker.settings import Settings
from worker.streams import publish
from worker.streams.connection import Redis, connect
from worker.streams.keys import Keys

CHUNK = 200
"""Lines in one round trip."""
LONGEST_BURST = 4_000
DUPLICATES = 0.02
ASTRAY = 0.05
"""Share of the lines that go to any stream."""
INVALID = 0.001
RETRY_SECONDS = 0.1


class Publisher:
    """Publishes from a thread of its own about so many events a second; whatever was not acknowledged, again."""

    def __init__(self, settings: Settings, seed: int, rate: float) -> None:
        self.cohorts = Cohorts(seed)
        self.acknowledged = 0
        """Entries, duplicates included."""
        self.refused = 0
        """Round trips that failed, each repeated until it did not."""
        self.planted: set[bytes] = set()
        """The invalid events."""
        self.planted_entries = 0
        """How often they were acknowledged."""
        self.planted_maybe = 0
        """How often they were in a round trip that failed: each may be there once more."""
        self._settings = settings
        self._keys = Keys.of(settings)
        self._chance = random.Random(seed)
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        """Publish what is left of the cohorts that have begun, and stop."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        redis = connect(self._settings)
        started = time.monotonic()
        while not self._over.is_set():
            burst = self.cohorts.take(self._chance.randint(CHUNK, LONGEST_BURST))
            self._publish(redis, burst)
            self._over.wait(max(0.0, started + self.acknowledged / self._rate - time.monotonic()))
        self._publish(redis, self.cohorts.rest())
        redis.close()

    def _publish(self, redis: Redis, lines: list[bytes]) -> None:
        for start in range(0, len(lines), CHUNK):
            bodies = [self._addressed(line) for line in self._disturbed(lines[start : start + CHUNK])]
            while not self._appended(redis, bodies):
                time.sleep(RETRY_SECONDS)

    def _appended(self, redis: Redis, bodies: list[tuple[str, bytes]]) -> bool:
        invalid = sum(body in self.planted for _, body in bodies)
        try:
            self.acknowledged += len(publish.append_many(redis, bodies))
        except RedisError:
            self.refused += 1
            self.planted_maybe += invalid
            return False
        self.planted_entries += invalid
        return True

    def _disturbed(self, lines: list[bytes]) -> list[bytes]:
        chance = self._chance
        sent = [*lines, *(line for line in lines if chance.random() < DUPLICATES)]
        sent += [self._invalid() for line in lines if chance.random() < INVALID]
        chance.shuffle(sent)
        return sent

    def _invalid(self) -> bytes:
        body = b'{"type": "lesson.viewed", "number": %d}' % len(self.planted)
        self.planted.add(body)
        return body

    def _addressed(self, line: bytes) -> tuple[str, bytes]:
        if line in self.planted or self._chance.random() < ASTRAY:
            return self._chance.choice(self._keys.streams), line
        return self._keys.stream_for(partition_key(json.loads(line)["data"])), line
