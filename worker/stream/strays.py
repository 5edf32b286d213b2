"""Streams beyond the number of partitions: a publisher counts more of them than we do, or we did once.

What Redis acknowledged there is read, leased and trimmed like everything else, and somebody is told.
"""

from dataclasses import dataclass, replace

from worker.stream.connection import Redis
from worker.stream.keys import Keys

MOST_PARTITIONS = 256
"""Streams with a number below this are looked for."""


@dataclass(frozen=True, slots=True)
class Strays:
    """What there is beyond the partitions, in the order of their numbers."""

    streams: tuple[str, ...] = ()
    not_streams: tuple[str, ...] = ()
    """Keys of that name and another type: nothing can be read there."""

    @property
    def warnings(self) -> list[str]:
        """A sentence for each kind that there is."""
        found = []
        if self.streams:
            found.append(
                f"Streams beyond PROGRESS_STREAM_PARTITIONS: {', '.join(self.streams)}. They are read all the same. "
                "Give publishers and workers one number; delete the keys when they are empty and nobody publishes any."
            )
        if self.not_streams:
            found.append(
                f"Keys named like partitions that are not streams: {', '.join(self.not_streams)}. Rename them."
            )
        return found


def find_strays(redis: Redis, keys: Keys) -> Strays:
    """Look for them, in one round trip while there are none, else two.

    A stream that has a partition of its own is the plain stream of another system and none of ours.
    """
    names = [keys.partition(number) for number in range(keys.partitions, MOST_PARTITIONS)]
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
    types = {name: kind for name, kind in zip(names, pipeline.execute(), strict=True) if kind != b"none"}
    for name in types:
        pipeline.exists(f"{name}:0")
    ours = [name for name, has_partitions in zip(types, pipeline.execute(), strict=True) if not has_partitions]
    return Strays(
        tuple(name for name in ours if types[name] == b"stream"),
        tuple(name for name in ours if types[name] != b"stream"),
    )


def with_strays(redis: Redis, keys: Keys) -> tuple[Keys, Strays]:
    """The keys with the strays that there are now among their streams, and what was found."""
    found = find_strays(redis, keys)
    return replace(keys, strays=found.streams), found
