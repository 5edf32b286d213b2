"""How commands print: tables for people, JSON for scripts, and nothing that garbles a terminal."""

import json
import os
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import click

from worker import formatting
from worker.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from worker.analytics.rules.activity import TimeSpent

PIPED_WIDTH = 200
"""Width of output that is not on a terminal; tables use only what they need."""

TITLE_LENGTH = 60
"""Characters of a title that are shown; JSON has the rest."""


def console(*, stderr: bool = False) -> "Console":
    """Return a console that prints text as it is: no markup, no highlighting."""
    from rich.console import Console

    color_system: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False, color_system=color_system)
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


def new_table(
    title: str | None,
    *columns: str,
    numbers: Iterable[str] = (),
    prose: Iterable[str] = (),
    spare: Iterable[str] = (),
    header: bool = True,
) -> "Table":
    """Return a plain table that fits its terminal, given the names of columns.

    `numbers` are right-aligned. `prose` may be folded at words, all others are kept whole. `spare` are omitted where
    there is no room, first to last.
    """
    from worker.cli.fitted_table import FittedTable

    table = FittedTable(title, columns, set(numbers), set(prose), list(spare))
    table.show_header = header
    return table


def new_facts(title: str) -> "Table":
    """Return a table without headers, of names and values."""
    return new_table(title, "name", "value", prose=["value"], header=False)


def show(*parts: "RenderableType") -> None:
    """Print to standard output; on a terminal, sentences are folded at words."""
    screen = console()
    for part in parts:
        screen.print(part, soft_wrap=isinstance(part, str) and not screen.is_terminal)


def show_json(value: Any) -> None:
    """Print as JSON, with times and dates in RFC 3339 and decimals as numbers."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def duration(seconds: float | None) -> str:
    """Format a length of time for people; `-` for None."""
    return "-" if seconds is None else formatting.duration(seconds)


def title(text: str | None) -> str:
    """Return a title that is safe for a terminal, clipped at a readable length; `-` for none."""
    if not text:
        return "-"
    return printable(text if len(text) <= TITLE_LENGTH else f"{text[: TITLE_LENGTH - 1].rstrip()}…")


def time_spent(spent: "TimeSpent") -> str:
    """Format the time spent, and how much of it is measured."""
    if spent.measured_ratio is None:
        return "none known"
    ratio = "" if spent.measured_ratio == 1 else f"{formatting.percent(100 * spent.measured_ratio)} "
    return f"{duration(spent.seconds)}, {ratio}measured"


def moment(at: datetime | None) -> str:
    """Format a time to the second; `-` for None."""
    return f"{at:%Y-%m-%d %H:%M:%S %Z}" if at else "-"


def redacted(url: str) -> str:
    """Return the URL without its password, even if the URL is malformed.

    Removes everything between the user and the last @, and query parameters that are named like a password.
    """
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    place = re.sub(r"(\w*passw\w*=)[^&]*", r"\1***", place, flags=re.IGNORECASE)
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at}{place}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
