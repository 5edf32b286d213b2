"""The type of times on the command line."""

from datetime import datetime
from typing import Any

import click

from worker.errors import InputError


class TimeType(click.ParamType[datetime]):
    """A time with an offset, such as 2025-07-14T10:30:00Z."""

    name = "time"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,  # noqa: ARG002 - click's signature
    ) -> datetime:
        """Return the time, aware. Raises InputError."""
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            option = param.opts[0] if param else "time"
            raise InputError(f"{option} {value}: give a time with an offset, such as 2025-07-14T10:30:00Z.")
        return at


TIME = TimeType()
