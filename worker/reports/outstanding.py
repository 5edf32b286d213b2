"""The row that stands out: a sentence names the greatest of a table only if no other is as great."""

from collections.abc import Callable, Sequence
from typing import Any

from worker.reports.table import Row


def outstanding(rows: Sequence[Row], value: Callable[[Row], Any]) -> Row | None:
    """Return the row of the greatest value, None if it ties with another."""
    first, *others = sorted(rows, key=value, reverse=True)
    return None if others and value(others[0]) == value(first) else first
