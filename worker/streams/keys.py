"""Every key we use in Redis.

| key                                    | type   | what                                                  | life    |
|----------------------------------------|--------|-------------------------------------------------------|---------|
| `lesson-events`                        | stream | events of publishers that do not choose a partition   | trimmed |
| `lesson-events:{n}`                    | stream | events whose partition key modulo the partitions is n | trimmed |
|                                        |        | (beyond the partitions: see `stray_streams.py`)        | |
| `{stream}:account`                     | hash   | entries acknowledged, entries that vanished           | kept    |
| `{stream}:commits`                     | hash   | consumer to what it had committed when it acknowledged | kept   |
| `lesson-events:lease:{stream}`         | string | name of the consumer that reads this stream           | 5 s     |
| `lesson-events:wanted`                 | string | name of a consumer that found no partition free       | 2 s     |
| `lesson-events:refused`                | string | since when PostgreSQL refuses everything, by its clock | 1 min  |
| `lesson-events:quarantine:{stream}:{entry}` | set | consumers processing it in quarantine, or dead from it | 1 day |
| `lesson-events:totals`                 | hash   | what was superseded and dropped: `totals.py`         | kept    |
| `{stream}:system`                      | string | whose stream it is: `failover/system_id.py`          | for good |

Celery's broker adds its own, and beside its queues stand those of `celery_support/broker_queue.py`. Every key
starts with the stream key (`PROGRESS_STREAM_KEY`).
"""

from dataclasses import dataclass
from functools import cached_property

from worker.contract.entry import GROUP

DEFAULT_STREAM_KEY = "lesson-events"


def account(stream: str) -> str:
    """What was acknowledged of the stream, and what vanished; see `worker/streams/accounting.py`."""
    return f"{stream}:account"


def commits(stream: str) -> str:
    """What each consumer of the stream had committed when it last acknowledged; see `worker/streams/accounting.py`."""
    return f"{stream}:commits"


@dataclass(frozen=True)
class Keys:
    """The keys of one system: its plain stream's name, the number of partitions, and what was found of them."""

    stream_key: str
    partitions: int
    strays: tuple[str, ...] = ()
    unusable: frozenset[str] = frozenset()
    """Those of ours that somebody made with another type: see `worker/streams/key_types.py`."""

    @property
    def own(self) -> tuple[str, ...]:
        """The plain stream, then the partitions."""
        return (self.stream_key, *(self.partition(number) for number in range(self.partitions)))

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """What can be read: our own, then the strays."""
        return (*(stream for stream in self.own if stream not in self.unusable), *self.strays)

    def partition(self, number: int) -> str:
        """The partition with this number, which may be beyond ours."""
        return f"{self.stream_key}:{number}"

    @property
    def group(self) -> str:
        """The consumer group on every one of these streams."""
        return GROUP if self.stream_key == DEFAULT_STREAM_KEY else f"{GROUP}:{self.stream_key}"

    def stream_for(self, partition_key: int | None) -> str:
        """The stream for an enrollment's (or an outline's course's) id; the plain one where there is none."""
        return self.stream_key if partition_key is None else self.partition(partition_key % self.partitions)

    def instead_of(self, stream: str) -> str:
        """Where events go whose stream takes none: every stream is read alike."""
        return self.partition(0) if stream == self.stream_key else self.stream_key

    def lease(self, stream: str) -> str:
        """Who reads the stream."""
        return f"{self.stream_key}:lease:{stream}"

    def system(self, stream: str) -> str:
        """Whose stream it is. Beside each one, so that a stream key that is another system's partition is noticed."""
        return f"{stream}:system"

    @property
    def wanted(self) -> str:
        """Somebody wants a partition."""
        return f"{self.stream_key}:wanted"

    @property
    def refused(self) -> str:
        """PostgreSQL refuses everything."""
        return f"{self.stream_key}:refused"

    @property
    def totals(self) -> str:
        """How many events were superseded, and members dropped."""
        return f"{self.stream_key}:totals"

    def quarantine(self, stream: str, entry_id: str) -> str:
        """Who is trying the entry, or died trying."""
        return f"{self.stream_key}:quarantine:{stream}:{entry_id}"
