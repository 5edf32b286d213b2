"""Read the rows of a table by its header: commas, semicolons or tabs, in UTF-8."""

import csv
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

from worker.adapters.formats import Format
from worker.adapters.outcome import Rejected
from worker.cli.json_documents import Found
from worker.errors import InputError

_DELIMITERS = ",;\t"


class TableRows:
    """The rows below a header, each as a mapping from the header's cells."""

    def __init__(
        self, first: bytes, lines: Iterable[bytes], expected: Format, to_error: Callable[[str], InputError]
    ) -> None:
        """Take the first line for the header. Raises an InputError if the format cannot do with its columns."""
        try:
            text = first.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise to_error("not UTF-8. Save the table as CSV in UTF-8") from None
        self._delimiter = max(_DELIMITERS, key=text.count)
        self._header = [cell.strip() for cell in next(csv.reader([text], delimiter=self._delimiter), [])]
        self._header_line = text.strip("\r\n")
        self._lines = iter(lines)
        self._taken: list[bytes] = []
        """The lines of the present row."""
        self._again: list[bytes] = []
        """Lines that a row which could not be read had taken, last first."""
        there = {name.lower() for name in self._header}
        missing = [name for name in expected.columns if name not in there]
        if missing and not (expected.other_columns and there.issuperset(expected.other_columns)):
            needed = ", ".join(expected.columns)
            raise to_error(f"the header has no column {', '.join(missing)}. The table needs {needed}")
        if expected.one_of and not any(there.issuperset(each) for each in expected.one_of):
            needed = ", or ".join(" and ".join(each) for each in expected.one_of)
            raise to_error(f"the header has no column of times. The table needs {needed}")
        used = {*expected.columns, *expected.optional, *(name for each in expected.one_of for name in each)}
        self.unused = [name for name in self._header if name and name.lower() not in used] if expected.optional else []
        """Columns without effect, of a format that knows them all."""

    def __iter__(self) -> Iterator[Found]:
        """Yield the rows; in place of each that cannot be read, it and the header as text, and the reason.

        A quotation mark that is not closed costs its own line; those that it swallowed are read again.
        """
        reader = csv.reader(self._texts(), delimiter=self._delimiter, strict=True)
        while True:
            self._taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._again += self._taken[:0:-1]
                yield self._refused(self._taken[0].strip(b"\r\n"), "bad_row", f"The row is not CSV: {error}")
                reader = csv.reader(self._texts(), delimiter=self._delimiter, strict=True)
            else:
                if any(cells):
                    yield self._found(cells)

    def _texts(self) -> Iterator[str]:
        while line := self._again.pop() if self._again else next(self._lines, b""):
            self._taken.append(line)
            yield line.decode(errors="surrogateescape")

    def _found(self, cells: list[str]) -> Found:
        content = b"".join(self._taken)
        is_whole = content.endswith((b"\n", b"\r"))
        content = content.strip(b"\r\n")  # not its tabs, which separate empty cells
        if not content.isascii() and not _is_utf_8(content):
            return self._refused(content, "not_utf8", "The row is not UTF-8. Save the table as CSV in UTF-8")
        if any(cells[len(self._header) :]):
            return self._refused(content, "bad_row", "The row has more cells than the header")
        if len(cells) < len(self._header) and not is_whole:
            return self._refused(content, "bad_row", "The row ends the file, and has fewer cells than the header")
        return dict(zip(self._header, cells, strict=False)), None

    def _refused(self, row: bytes, reason: str, detail: str) -> Found:
        return {"header": self._header_line, "row": row.decode(errors="replace")}, Rejected(reason, detail)


def read_refused(record: object, expected: Format, to_error: Callable[[str], InputError]) -> Iterator[Found] | None:
    """Return the rows of a record that TableRows refused, perhaps corrected since; None of any other record."""
    match record:
        case {"header": str(header), "row": str(row), **others} if not others:
            if "\ufffd" in row:
                return iter(
                    [(record, Rejected("not_utf8", "The row was not UTF-8, and still has \ufffd for a character"))]
                )
            lines = BytesIO(row.encode(errors="replace"))
            return iter(TableRows(header.encode(errors="replace"), lines, expected, to_error))
    return None


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
