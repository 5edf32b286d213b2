"""Read events from a file of JSON lines, plain or gzipped, or standard input; errors name the line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

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
    is_rejected: bool = False
    """It is no event but a record that could not be translated."""


class JsonLines:
    """The events of a file in order. Opening and iterating raise InputError with the file and line."""

    def __init__(
        self, path: str, problem_of: Callable[[dict[str, Any]], str | None] | None = None, hint: str = ""
    ) -> None:
        """Open the file, `-` for standard input. Gzip is detected by its first bytes.

        `problem_of` returns why an object is refused, None of those that are not. `hint` ends the error about a file
        whose first line is no object.
        """
        self._lines = FileLines(path, LONGEST_LINE_BYTES, "one event per line")
        self._problem_of, self._hint = problem_of, hint
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
                raise self._lines.error(f"not JSON ({error}){self._hint_at(body)}") from None
            if not isinstance(event, dict):
                raise self._lines.error(f"JSON, but not an object{self._hint_at(body)}")
            if self._problem_of and (problem := self._problem_of(event)):
                raise self._lines.error(problem)
            yield Line(self._lines.number, body, partition_key(event.get("data")), self._lines.position)

    def _hint_at(self, body: bytes) -> str:
        return self._hint if self._lines.number == 1 and not body.startswith(b"{") else ""
