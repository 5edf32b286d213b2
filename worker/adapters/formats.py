"""The formats of records that can be translated, by the names that `--format` and connections have for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from worker.adapters import caliper, caliper_event, canvas, edx, frappe, kolibri, moodle, moodle_report, table, xapi
from worker.adapters.translation import Translate


def as_records(document: object) -> Iterable[object]:
    """Return the records of a JSON document that is a list of them, or one."""
    return document if isinstance(document, list) else [document]


@dataclass(frozen=True, slots=True)
class Format:
    """How the records of a format are found and translated."""

    translate: Translate
    split: Callable[[object], Iterable[object]] = as_records
    """Returns the records of a parsed JSON document: a list, an envelope or one record. Raises nothing."""
    columns: tuple[str, ...] = ()
    """Of a format that comes as a table: columns that it must have, in lower case."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Of these groups of columns the table must have one, whole."""
    optional: tuple[str, ...] = ()
    """Its other columns; empty if they are not all known."""
    other_columns: tuple[str, ...] = ()
    """Of one that comes as another table too: the columns that this must have."""

    @property
    def is_table(self) -> bool:
        """Whether the records are rows of CSV; as JSON, each is an object with a member for each column."""
        return bool(self.columns)


FORMATS = {
    "xapi": Format(xapi.translate, xapi.split),
    "edx": Format(edx.translate),
    "caliper": Format(caliper.translate, caliper_event.split),
    "canvas": Format(canvas.translate, canvas.split),
    "csv": Format(table.translate, columns=table.COLUMNS, one_of=table.TIMES, optional=table.OPTIONAL),
    "kolibri": Format(kolibri.translate, columns=kolibri.COLUMNS),
    "moodle": Format(moodle.translate, moodle.split, columns=moodle.COLUMNS, other_columns=moodle_report.COLUMNS),
    "frappe": Format(frappe.translate, frappe.split),
}
