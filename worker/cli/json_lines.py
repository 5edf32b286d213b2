"""Read JSON lines from a plain or gzipped file or standard input; errors name the line."""

import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast
from zlib import error as ZlibError  # noqa: N812 - it is an exception class

from worker.errors import InputError

LONGEST_LINE_BYTES = 64 * 1024 * 1024
"""A longer line means that the file does not have one event per line."""

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the file: its line's number, its bytes, its partition key, and the file position of its end."""

    number: int
    body: bytes
    key: int | None
    position: int


class JsonLines:
    """The events of a file in order. Opening and iterating raise InputError with the file and line."""

    def __init__(self, path: str) -> None:
        """Open the file, `-` for standard input. Gzip is detected by its first bytes."""
        self.name = "standard input" if path == "-" else path
        if path == "-" and sys.stdin is None:
            raise InputError("Standard input is closed: name a file or pipe the events in.")
        try:
            raw: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - see close
            self._raw = cast("BufferedReader", raw)
            gzipped = self._raw.peek(2)[:2] == _GZIP
            self.size = None if path == "-" else Path(path).stat().st_size
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
        self._lines = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if gzipped else self._raw

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def __iter__(self) -> Iterator[Line]:
        from pydantic_core import from_json

        from worker.contract.event import partition_key
        from worker.contract.parse import BYTE_ORDER_MARK

        number = 0
        while body := self._read(number + 1):
            number += 1
            body = body.removeprefix(BYTE_ORDER_MARK).strip()  # of the file, or of one concatenated into it
            if not body:
                continue
            try:
                event = from_json(body)
            except ValueError as error:
                raise InputError(f"{self.name}, line {number}: not JSON ({error})") from None
            if not isinstance(event, dict):
                raise InputError(f"{self.name}, line {number}: JSON, but not an object")
            yield Line(number, body, partition_key(event.get("data")), self._position())

    def _read(self, number: int) -> bytes:
        try:
            body = self._lines.readline(LONGEST_LINE_BYTES + 1)
        except (OSError, EOFError, ZlibError) as error:
            raise InputError(f"{self.name}, line {number}: cannot be read ({error})") from None
        if len(body) > LONGEST_LINE_BYTES:
            raise InputError(f"{self.name}, line {number}: longer than 64 MiB; expected one event per line")
        return body

    def _position(self) -> int:
        return 0 if self.size is None else self._raw.tell()
