"""Read the lines of a plain or gzipped file or of standard input; errors name the line."""

import gzip
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast
from zlib import error as ZlibError  # noqa: N812 - it is an exception class

from worker.errors import InputError

MEBIBYTE = 1024 * 1024
_GZIP = b"\x1f\x8b"


class FileLines:
    """The lines of a file as bytes, with their line breaks. Opening and iterating raise InputError."""

    def __init__(self, path: str, max_bytes: int, expected: str) -> None:
        """Open the file, `-` for standard input. Gzip is detected by its first bytes.

        A longer line is an error, which says what was `expected`.
        """
        self.name = "standard input" if path == "-" else path
        if path == "-" and sys.stdin is None:
            raise InputError("Standard input is closed: name a file or pipe the events in.")
        self._max_bytes, self._expected = max_bytes, expected
        try:
            raw: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - see close
            self._raw = cast("BufferedReader", raw)
            gzipped = self._raw.peek(2)[:2] == _GZIP
            self.size = None if path == "-" else Path(path).stat().st_size
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
        self._lines = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if gzipped else self._raw
        self.number = 0
        """The last line's."""

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes of the file have been read; 0 of standard input."""
        return 0 if self.size is None else self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        while line := self._read():
            self.number += 1
            yield line

    def _read(self) -> bytes:
        try:
            line = self._lines.readline(self._max_bytes + 1)
        except (OSError, EOFError, ZlibError) as error:
            raise self.error(f"cannot be read ({error})", self.number + 1) from None
        if len(line) > self._max_bytes:
            raise self.error(
                f"longer than {self._max_bytes // MEBIBYTE} MiB; expected {self._expected}", self.number + 1
            )
        return line

    def error(self, problem: str, number: int | None = None) -> InputError:
        """Return an error that names the file and a line, by default the last one."""
        return InputError(f"{self.name}, line {number or self.number}: {problem}")
