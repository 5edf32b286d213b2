"""Every key we use in Redis.

| key                                         | type   | content                                             | life    |
|---------------------------------------------|--------|-----------------------------------------------------|---------|
| `lesson-events`                             | stream | events of publishers that do not choose a partition | trimmed |
| `lesson-events:{n}`                         | stream | events with partition key modulo partitions = n     | trimmed |
|                                             |        | (n beyond the partitions: see `stray_streams.py`)   |         |
| `{stream}:account`                          | hash   | entries acknowledged and vanished: `accounting.py`  | kept    |
| `{stream}:commits`                          | hash   | each consumer's commit mark: `commit_marks.py`      | kept    |
| `{stream}:system`                           | string | the system that owns the stream: `owner_mark.py`    | kept    |
| `lesson-events:lease:{stream}`              | string | the consumer that reads the stream                  | 5 s     |
| `lesson-events:wanted`                      | string | a consumer that found no free stream                | 2 s     |
| `lesson-events:refused`                     | string | when PostgreSQL, by its clock, began to refuse all  | 1 min   |
| `lesson-events:quarantine:{stream}:{entry}` | set    | consumers processing it alone, or dead from it      | 1 day   |
| `lesson-events:totals`                      | hash   | superseded events and dropped members: `totals.py`  | kept    |

Celery's broker adds its own keys, and `celery_support/broker_queue.py` some next to its queues. Every key starts with
the stream key (`PROGRESS_STREAM_KEY`, by default `lesson-events`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from worker.contract.entry import GROUP
from worker.main_settings import DEFAULT_STREAM_KEY
from worker.settings import Settings


def account(stream: str) -> str:
    """Return the key of the stream's account: entries acknowledged and vanished."""
    return f"{stream}:account"


def commits(stream: str) -> str:
    """Return the key of the commit marks of the stream's consumers."""
    return f"{stream}:commits"


@dataclass(frozen=True)
class Keys:
    """The keys of one system, from its stream key, its number of partitions and the streams found."""

    stream_key: str
    partitions: int
    strays: tuple[str, ...] = ()
    unusable: frozenset[str] = frozenset()
    """Our streams that have the wrong type: see `worker/streams/key_types.py`."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the keys of the system that the settings describe."""
        return cls(settings.stream_key, settings.stream_partitions)

    @property
    def own(self) -> tuple[str, ...]:
        """The plain stream, then the partitions."""
        return (self.stream_key, *(self.partition(number) for number in range(self.partitions)))

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """The readable streams: our own, then the strays."""
        return (*(stream for stream in self.own if stream not in self.unusable), *self.strays)

    def partition(self, number: int) -> str:
        """Return the partition with this number, which may be beyond ours."""
        return f"{self.stream_key}:{number}"

    @property
    def group(self) -> str:
        """The consumer group of every stream."""
        return GROUP if self.stream_key == DEFAULT_STREAM_KEY else f"{GROUP}:{self.stream_key}"

    def stream_for(self, partition_key: int | None) -> str:
        """Return the stream for the `partition_key` of an event; the plain stream without one."""
        return self.stream_key if partition_key is None else self.partition(partition_key % self.partitions)

    def instead_of(self, stream: str) -> str:
        """Return the stream for events whose own stream has the wrong type; all streams are read alike."""
        return self.partition(0) if stream == self.stream_key else self.stream_key

    def lease(self, stream: str) -> str:
        """Return the key of the stream's lease."""
        return f"{self.stream_key}:lease:{stream}"

    def system(self, stream: str) -> str:
        """Return the key of the stream's system; one per stream detects a stream key that is another's partition."""
        return f"{stream}:system"

    @property
    def wanted(self) -> str:
        """The mark of a consumer that wants a stream."""
        return f"{self.stream_key}:wanted"

    @property
    def refused(self) -> str:
        """The mark that PostgreSQL refuses everything."""
        return f"{self.stream_key}:refused"

    @property
    def totals(self) -> str:
        """The numbers of superseded events and dropped members."""
        return f"{self.stream_key}:totals"

    def quarantine(self, stream: str, entry_id: str) -> str:
        """Return the key of the consumers that process the entry alone, or died doing so."""
        return f"{self.stream_key}:quarantine:{stream}:{entry_id}"
