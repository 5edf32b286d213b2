"""Read events from a file of JSON lines, plain or gzipped, or standard input; errors name the line."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.cli.file_lines import MEBIBYTE, FileLines

LONGEST_LINE_BYTES = 64 * MEBIBYTE
"""A longer line means that the file does not have one event per line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event: its line's or record's number, its bytes, its partition key, and the file position of its end."""

    number: int
    body: bytes
    key: int | None
    position: int


class JsonLines:
    """The events of a file in order. Opening and iterating raise InputError with the file and line."""

    def __init__(self, path: str) -> None:
        """Open the file, `-` for standard input. Gzip is detected by its first bytes."""
        self._lines = FileLines(path, LONGEST_LINE_BYTES, "one event per line")
        self.name, self.size = self._lines.name, self._lines.size

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def __iter__(self) -> Iterator[Line]:
        from pydantic_core import from_json

        from worker.contract.event import partition_key
        from worker.contract.parse import BYTE_ORDER_MARK

        for line in self._lines:
            body = line.removeprefix(BYTE_ORDER_MARK).strip()  # of the file, or of one concatenated into it
            if not body:
                continue
            try:
                event = from_json(body)
            except ValueError as error:
                raise self._lines.error(f"not JSON ({error})") from None
            if not isinstance(event, dict):
                raise self._lines.error("JSON, but not an object")
            yield Line(self._lines.number, body, partition_key(event.get("data")), self._lines.position)
