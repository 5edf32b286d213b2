"""The type of a dead letter's reason on the command line."""

from typing import Any

import click


class ReasonType(click.ParamType[str]):
    """One of the reasons, which are imported when one is given."""

    name = "reason"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the reason. Fails with a usage error if there is no such reason."""
        from worker.contract.entry import Reason

        if value not in set(Reason):
            self.fail(f"{value!r} is not one of {', '.join(Reason)}.", param, ctx)
        return str(value)


REASON = ReasonType()
