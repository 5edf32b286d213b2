"""Find streams beyond the number of partitions, and keys of ours with the wrong type.

A stray stream exists because a publisher uses more partitions than the workers, or they once did. It is reported, and
read, leased and trimmed like the others.
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
"""How often a consumer looks for stray streams."""

MAX_PARTITIONS = 1_024
"""Higher numbers are not looked for."""


@dataclass(frozen=True, slots=True)
class Strays:
    """The stray streams, by number, and keys of the wrong type."""

    streams: tuple[str, ...] = ()
    not_streams: tuple[str, ...] = ()
    """Keys named like partitions beyond ours that are not streams."""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Our keys of the wrong type, with that type."""

    @property
    def warnings(self) -> list[str]:
        """A sentence for each kind of stray found."""
        found = []
        if self.streams:
            found.append(
                f"Streams beyond PROGRESS_STREAM_PARTITIONS: {', '.join(self.streams)}. They are read too. Give "
                "publishers and workers the same number, then delete the keys once they are empty."
            )
        if self.not_streams:
            found.append(
                f"Keys named like partitions that are not streams: {', '.join(self.not_streams)}. Rename them."
            )
        return found

    @property
    def complaint(self) -> str | None:
        """A sentence about our keys of the wrong type, if there are any."""
        if not self.wrong:
            return None
        named = ", ".join(f"{name} ({kind})" for name, kind in self.wrong.items())
        return f"Keys in Redis of the wrong type: {named}. All others are used. Rename or delete them."


def find_strays(redis: Redis, keys: Keys) -> Strays:
    """Find keys named like partitions beyond ours, with one command while there are none.

    A stream with partitions of its own is another system's plain stream and is left out.
    """
    names = [keys.partition(number) for number in range(keys.partitions, MAX_PARTITIONS)]
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
    """Return the keys with the streams that can be read now, and what was found."""
    found = find_strays(redis, keys)
    keys = replace(keys, strays=found.streams)
    found = replace(found, wrong=find_wrong(redis, keys))
    return replace(keys, unusable=frozenset(found.wrong)), found


class StrayFinder:
    """The memory of one consumer."""

    def __init__(self) -> None:
        self._known = Strays()
        self._reported: Mapping[str, str] = {}
        self._look_at = 0.0

    def look_again(self) -> None:
        """Look at the next `find`, so that a deleted stream is not created again."""
        self._look_at = 0.0

    def find(self, redis: Redis, keys: Keys) -> Keys:
        """Return the keys with the stray streams; look and log changes every LOOK_SECONDS."""
        if time.monotonic() < self._look_at:
            return keys
        self._look_at = time.monotonic() + LOOK_SECONDS
        found_keys, found = with_strays(redis, keys)
        if found == self._known:
            return keys
        if (found.streams, found.not_streams) not in (((), ()), (self._known.streams, self._known.not_streams)):
            log.warning("stray_streams", streams=found.streams, not_streams=found.not_streams)
        if found.wrong and found.wrong != self._reported:
            log.error("wrong_key_types", keys=found.wrong)
        self._reported = found.wrong
        try:
            create_groups(redis, keys.group, [each for each in found_keys.streams if each not in keys.streams])
        except ServerUnavailableError as error:  # full: the streams we have must be drained regardless
            log.warning("stray_streams_wait", detail=str(error))
            return replace(keys, unusable=found_keys.unusable)
        self._known = found
        return found_keys
