"""Read the rows of a table by its header: commas, semicolons or tabs, in UTF-8."""

import csv
from collections.abc import Iterator, Sequence

from worker.adapters.outcome import Rejected
from worker.cli.file_lines import FileLines
from worker.cli.json_documents import Found

_DELIMITERS = ",;\t"


class TableRows:
    """The rows below a header, each as a mapping from the header's cells."""

    def __init__(self, first: bytes, lines: FileLines, columns: Sequence[str], other: Sequence[str] = ()) -> None:
        """Take the first line for the header. Raises InputError if it lacks one of the `columns`, and of `other`."""
        try:
            text = first.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise lines.error("not UTF-8. Save the table as CSV in UTF-8") from None
        self._delimiter = max(_DELIMITERS, key=text.count)
        self._header = [cell.strip() for cell in next(csv.reader([text], delimiter=self._delimiter), [])]
        self._lines = iter(lines)
        self._taken: list[bytes] = []
        """The lines of the present row."""
        self._again: list[bytes] = []
        """Lines that a row which could not be read had taken, last first."""
        there = {name.lower() for name in self._header}
        missing = [name for name in columns if name not in there]
        if missing and not (other and there.issuperset(other)):
            raise lines.error(f"the header has no column {', '.join(missing)}. The table needs {', '.join(columns)}")

    def __iter__(self) -> Iterator[Found]:
        """Yield the rows, and the bytes of each that cannot be read with the reason.

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
                yield self._taken[0].strip(), Rejected("bad_row", f"The row is not CSV: {error}")
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
        content = content.strip()
        if not content.isascii() and not _is_utf_8(content):
            return content, Rejected("not_utf8", "The row is not UTF-8. Save the table as CSV in UTF-8")
        if any(cells[len(self._header) :]):
            return content, Rejected("bad_row", "The row has more cells than the header")
        if len(cells) < len(self._header) and not is_whole:
            return content, Rejected("bad_row", "The file ends within this row")
        return dict(zip(self._header, cells, strict=False)), None


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
