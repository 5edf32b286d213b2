"""A group of commands whose help lists each with its whole first sentence."""

import click

WHOLE = 1_000
"""Characters; click cuts a sentence to its line."""


class Group(click.Group):
    """The list is folded instead of cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(WHOLE)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
