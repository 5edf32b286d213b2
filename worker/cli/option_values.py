"""Read the values of options; each is an option's `callback`."""

from datetime import datetime

import click

from worker.errors import InputError


def to_reason(_: click.Context, __: click.Parameter, reason: str | None) -> str | None:
    """Return a dead letter's reason. Raises click.BadParameter if there is no such reason."""
    from worker.contract.entry import Reason

    if reason is not None and reason not in set(Reason):
        raise click.BadParameter(f"{reason!r} is not one of {', '.join(Reason)}.")
    return reason


def to_time(_: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """Return the time, aware. Raises InputError if it is none or has no offset."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InputError(f"{option.opts[0]} {text}: give a time with an offset, such as 2025-07-14T10:30:00Z.")
    return at
