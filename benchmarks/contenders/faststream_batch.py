"""FastStream: batches off one Redis stream by a consumer group, with the SQL of this worker."""

from collections.abc import Sequence
from typing import Any

from redis import ResponseError

from benchmarks.contenders.contender import QueueContender
from benchmarks.place import Place, python

STREAM = "lesson-events"
PROCESSES = 2


class FastStreamBatch(QueueContender):
    """2 worker processes."""

    key = "faststream"
    title = "FastStream, one stream, same SQL, 2 processes"
    rate = 30_000

    def commands(self) -> Sequence[Sequence[str]]:
        """One supervisor."""
        app = "benchmarks.apps.faststream_batch:app"
        return [(python(), "-m", "faststream", "run", app, "--workers", str(PROCESSES), "--log-level", "warning")]

    def publish(self, place: Place, lines: Sequence[bytes]) -> None:
        """In the field FastStream reads: its own publisher would add headers and take ten times as long."""
        for start in range(0, len(lines), 1_000):
            pipeline = place.redis.pipeline(transaction=False)
            for line in lines[start : start + 1_000]:
                pipeline.xadd(STREAM, {"__data__": line})
            pipeline.execute()

    def is_ready(self, place: Place) -> bool:
        """Both consumers have read."""
        consumers = [int(group["consumers"]) for group in self._groups(place)]
        return consumers == [PROCESSES]

    def waiting(self, place: Place) -> int:
        """Not delivered or not acknowledged."""
        return sum(group["lag"] + group["pending"] for group in self._groups(place))

    @staticmethod
    def _groups(place: Place) -> list[dict[str, Any]]:
        try:
            found: Any = place.redis.xinfo_groups(STREAM)
        except ResponseError:  # nobody has come yet
            return []
        return list(found)
