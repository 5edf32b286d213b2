"""The records of a file, translated: what to publish of them, and how many had which outcome."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

from worker.adapters.formats import FORMATS
from worker.adapters.outcome import Rejected
from worker.adapters.translation import Translation, reject, translate
from worker.cli.file_lines import FileLines
from worker.cli.json_documents import MAX_BYTES, Found, json_documents, parse
from worker.cli.json_lines import Line
from worker.cli.table_rows import TableRows
from worker.contract.connection import Connection
from worker.contract.parse import BYTE_ORDER_MARK

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class TranslatedRecords:
    """The events and rejected records of a file, in order. Opening and iterating raise InputError."""

    def __init__(self, path: str, format_name: str, connection: Connection) -> None:
        """Open the file, `-` for standard input. Gzip is detected by its first bytes."""
        self._lines = FileLines(path, MAX_BYTES, "one record per line")
        self._format_name, self._format = format_name, FORMATS[format_name]
        self._connection = connection
        self.name, self.size = self._lines.name, self._lines.size
        self.records = 0
        self.counts: dict[tuple[str, str], tuple[int, int]] = {}
        """By outcome (event, ignored, rejected) and type or reason: how many, and the first one's record."""

    @property
    def position(self) -> int:
        """How many bytes of the file have been read; 0 of standard input."""
        return self._lines.position

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def __iter__(self) -> Iterator[Line]:
        """Yield what to publish."""
        for translation in self.translations():
            for key, body in translation.messages:
                yield Line(self.records, body, key, self.position)

    def translations(self) -> Iterator[Translation]:
        """Yield what became of each record, whose number is then `records`, and count it."""
        for record, refused in self._found():
            self.records += 1
            arrived = datetime.now(UTC)
            if refused:
                rejected = reject(record, self._format_name, refused, self._connection, arrived)
                translation = Translation(rejected=rejected)
            else:
                translation = translate(record, self._format_name, self._format.translate, self._connection, arrived)
            for event in translation.events:
                self._count("event", event.type)
            if translation.ignored:
                self._count("ignored", translation.ignored)
            if translation.rejected:
                self._count("rejected", translation.rejected.data.reason)
            yield translation

    def _count(self, outcome: str, what: str) -> None:
        count, first = self.counts.get((outcome, what), (0, self.records))
        self.counts[outcome, what] = count + 1, first

    def _found(self) -> Iterator[Found]:
        lines = iter(self._lines)
        first = next((line for line in lines if line.strip()), b"")
        if first.startswith(_UTF_16):
            raise self._lines.error("not UTF-8 but UTF-16. Save the file in UTF-8")
        if first and self._format.is_table and not _is_json(first):
            yield from TableRows(first, self._lines, self._format.columns, self._format.other_columns)
            return
        for document, refused in _read_texts(json_documents(chain([first], lines))):
            if isinstance(document, dict) and "dead_letter_id" in document:
                raise self._lines.error("a line of `dead-letters export`. Export the records with --records")
            yield from [(document, refused)] if refused else ((each, None) for each in self._format.split(document))


def _read_texts(found: Iterable[Found]) -> Iterator[Found]:
    """Replace each JSON string, which is how the text of an unreadable record is exported, by the JSON in it."""
    for document, refused in found:
        if not isinstance(document, str):
            yield document, refused
            continue
        text = document.encode(errors="replace")
        try:
            yield parse(text), None
        except ValueError:
            yield text, Rejected("not_json", "The text is not JSON, or was cut off")


def _is_json(line: bytes) -> bool:
    """Return whether the first line is JSON: of an object, an array or a text, not of the header of a table."""
    line = line.removeprefix(BYTE_ORDER_MARK).strip()
    if line[:1] in (b"{", b"["):
        return True
    try:
        return isinstance(parse(line), str)
    except ValueError:
        return False
