"""The type of times on the command line."""

from datetime import datetime
from typing import Any

import click


class TimeType(click.ParamType[datetime]):
    """A time with an offset, such as 2025-07-14T10:30:00Z."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time, aware. Fails with a usage error."""
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail(f"{value!r} is not a time: give one with an offset, such as 2025-07-14T10:30:00Z.", param, ctx)
        return at


TIME = TimeType()
