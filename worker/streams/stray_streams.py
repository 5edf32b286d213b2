"""Which streams there are to read, beside those that should be.

Streams beyond the number of partitions: a publisher counts more of them than we do, or we did once. What Redis
acknowledged there is read, leased and trimmed like everything else, and somebody is told. And keys of ours that are of
another type, which cannot be read.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from worker.errors import ServerUnavailableError
from worker.logs import get_logger
from worker.streams.connection import Redis
from worker.streams.key_types import find_wrong
from worker.streams.keys import Keys
from worker.streams.read import create_groups

log = get_logger(__name__)

LOOK_SECONDS = 5.0
"""How often a consumer looks for them."""

MOST_PARTITIONS = 1_024
"""Streams with a number below this are looked for."""


@dataclass(frozen=True, slots=True)
class Strays:
    """What there is beyond the partitions, in the order of their numbers."""

    streams: tuple[str, ...] = ()
    not_streams: tuple[str, ...] = ()
    """Keys of that name and another type: nothing can be read there."""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Other keys of ours of another type, and that type."""

    @property
    def warnings(self) -> list[str]:
        """A sentence for each kind of stray that there is."""
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

    @property
    def complaint(self) -> str | None:
        """A sentence about our keys of another type."""
        if not self.wrong:
            return None
        named = ", ".join(f"{name} ({kind})" for name, kind in self.wrong.items())
        return f"Keys in Redis of another type than ours: {named}. Everything else goes on. Rename or delete them."


def find_strays(redis: Redis, keys: Keys) -> Strays:
    """Look for them, by one command while there are none.

    A stream that has a partition of its own is the plain stream of another system and none of ours.
    """
    names = [keys.partition(number) for number in range(keys.partitions, MOST_PARTITIONS)]
    if not redis.exists(*names):
        return Strays()
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
    """The keys with the streams that can be read now, and what was found."""
    found = find_strays(redis, keys)
    keys = replace(keys, strays=found.streams)
    found = replace(found, wrong=find_wrong(redis, keys))
    return replace(keys, unusable=frozenset(found.wrong)), found


class StrayFinder:
    """What one consumer knows of them."""

    def __init__(self) -> None:
        self._known = Strays()
        self._told: Mapping[str, str] = {}
        self._look_at = 0.0

    def look_again(self) -> None:
        """Look the next time: one that was deleted must not be made again."""
        self._look_at = 0.0

    def find(self, redis: Redis, keys: Keys) -> Keys:
        """Every few seconds, the keys with the strays there are; says so when they are others than before."""
        if time.monotonic() < self._look_at:
            return keys
        self._look_at = time.monotonic() + LOOK_SECONDS
        found_keys, found = with_strays(redis, keys)
        if found == self._known:
            return keys
        if (found.streams, found.not_streams) not in (((), ()), (self._known.streams, self._known.not_streams)):
            log.warning("stray_streams", streams=found.streams, not_streams=found.not_streams)
        if found.wrong and found.wrong != self._told:
            log.error("wrong_key_types", keys=found.wrong)
        self._told = found.wrong
        try:
            create_groups(redis, keys.group, [each for each in found_keys.streams if each not in keys.streams])
        except ServerUnavailableError as error:  # full: the streams that we have must be drained all the same
            log.warning("stray_streams_wait", detail=str(error))
            return replace(keys, unusable=found_keys.unusable)
        self._known = found
        return found_keys
