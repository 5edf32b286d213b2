"""The types of ids on the command line: whoever gives a name is told where its number is."""

from typing import Any

import click

from worker.contract.id_ranges import MAX_ID


class _Number(click.types.IntParamType):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number. Raises click.BadParameter."""
        try:
            int(value)
        except ValueError:
            self.fail(
                f"{value!a:.100} is no number. If it is a name, find its number with "
                f"`progress-worker map show --grep {value!a:.100}`.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


class _Id(click.IntRange, _Number):
    """A number that an id may have."""


NUMBER = _Number()
"""Of an id that is looked up: one that no id can have is not found."""
ID = _Id(1, MAX_ID)
