"""Put what Redis holds ahead of its clock, as after a restart that set the clock back.

No command does that: XCLAIM takes a time of delivery, but none in the future. A restart from a snapshot does; so the
stream is dumped, its times are changed, and it is restored.
"""

import struct
from collections.abc import Iterable
from typing import Any

from worker.contract.entry import GROUP
from worker.streams.connection import Redis

_POLYNOMIAL = 0x95AC9329AC4BC9B5
"""Of the CRC-64 that ends a dump: Jones', reflected."""


def put_deliveries_ahead(redis: Redis, stream: str, entry_ids: Iterable[str], milliseconds: int) -> None:
    """Move the delivery of these pending entries into the future. A dump has it behind the id, in the group's list."""
    dump: Any = redis.dump(stream)
    content = bytearray(dump[:-8])
    group = content.rindex(GROUP.encode())
    for entry_id in entry_ids:
        raw = struct.pack(">QQ", *(int(part) for part in entry_id.split("-")))
        at = content.index(raw, group) + len(raw)
        (delivered,) = struct.unpack_from("<q", content, at)
        struct.pack_into("<q", content, at, delivered + milliseconds)
    redis.restore(stream, 0, bytes(content) + struct.pack("<Q", _crc64(content)), replace=True)


def _crc64(content: Iterable[int]) -> int:
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc
