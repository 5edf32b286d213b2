"""`progress-worker`: a table of commands, each imported when it is asked for, and what their errors look like."""

import errno
import sys
from importlib import import_module
from io import TextIOWrapper

import click

from worker.errors import ProgressError

MODULES = {
    "demo": "demo",
    "up": "up",
    "migrate": "migrate",
    "publish": "publish",
    "drain": "drain",
    "status": "status",
    "metrics": "metrics",
    "summary": "summary",
    "learner": "learner",
    "report": "report",
    "outline": "outline",
    "overview": "overview",
    "audit": "audit",
    "rebuild": "rebuild",
    "void": "void",
    "replay": "replay",
    "dead-letters": "dead_letters",
    "system": "system",
    "serve": "serve",
    "config": "config",
    "health": "health",
    "asyncapi": "asyncapi",
}
"""Command → the module of this package whose `command` it is, in the order of `--help`."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""


class Commands(click.Group):
    """The table of commands. A ProgressError becomes one line and exit status 1, Ctrl-C a quiet 130."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command, imported now."""
        if cmd_name not in MODULES:
            return None
        command = import_module(f"worker.cli.{MODULES[cmd_name]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def invoke(self, ctx: click.Context) -> None:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character is no reason to fail
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            super().invoke(ctx)
        except ProgressError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"Cannot write: {error.strerror}.") from None
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="course-progress-worker", prog_name="progress-worker")
def main() -> None:
    """Exact course progress from lesson events.

    Start with `demo` to see it work, or with `up` for a system to play with. Everywhere else DATABASE_URL and REDIS_URL
    say which servers to use; without both, those of a running `up`.
    """


if __name__ == "__main__":
    main()
