"""Where a stored row differs from the expected one. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.analytics.rules.activity_rows import Key

NO_ROW = "no row"
WHOLE_ROW = "*"


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of a row whose value is wrong; the column `*` is the whole row."""

    table: str
    key: Key
    column: str
    stored: object
    expected: object


def differences(
    table: str, key: Key, stored: Mapping[str, object] | None, expected: Mapping[str, object] | None
) -> Iterator[Difference]:
    """Compare two rows column by column; None means that there is no row."""
    if stored is None or expected is None:
        if stored != expected:
            yield Difference(table, key, WHOLE_ROW, stored or NO_ROW, expected or NO_ROW)
        return
    for column, value in expected.items():
        if stored[column] != value:
            yield Difference(table, key, column, stored[column], value)
