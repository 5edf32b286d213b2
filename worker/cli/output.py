"""How commands print: tables for people, JSON for scripts, and nothing that could garble a terminal."""

import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from worker import formatting

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from worker.analytics.rules.activity import TimeSpent

PIPED_WIDTH = 200
"""Columns where no terminal says how wide it is; tables take only what they need."""


def console(*, stderr: bool = False) -> "Console":
    """A console that takes text as it is: no markup, no guessing of colors."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


def new_table(title: str | None, *columns: str, numbers: Iterable[str] = ()) -> "Table":
    """A plain table; the columns named in `numbers` are set to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in set(numbers)
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def show(*parts: "RenderableType") -> None:
    """Print to standard output."""
    console().print(*parts, sep="\n")


def show_json(value: Any) -> None:
    """Print as JSON, times and dates in RFC 3339, exact decimals as numbers."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def duration(seconds: float | None) -> str:
    """A length of time as people say it; `-` where there is none."""
    return "-" if seconds is None else formatting.duration(seconds)


def time_spent(spent: "TimeSpent") -> str:
    """How long, and whether that is known or estimated."""
    if spent.measured_ratio is None:
        return "none known"
    ratio = "" if spent.measured_ratio == 1 else f"{formatting.percent(100 * spent.measured_ratio)} "
    return f"{duration(spent.seconds)}, {ratio}measured"


def moment(at: datetime | None) -> str:
    """A time to the second; `-` where there is none."""
    return f"{at:%Y-%m-%d %H:%M:%S %Z}" if at else "-"


def redacted(url: str) -> str:
    """The URL without its password, also where that breaks the rules of URLs.

    Everything between the user and the last @ goes, and every query member that is named like a password.
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
