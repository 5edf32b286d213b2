"""`progress-worker`: the commands, each imported when it is run, and how their errors are shown."""

import errno
import os
import sys
from importlib import import_module

import click

from worker.cli.group import Group
from worker.cli.plain_terminal import adapt
from worker.errors import ProgressError

COMMANDS = (
    "demo",
    "up",
    "migrate",
    "publish",
    "bridge",
    "drain",
    "status",
    "metrics",
    "courses",
    "enrollments",
    "summary",
    "learner",
    "report",
    "outline",
    "map",
    "overview",
    "audit",
    "rebuild",
    "void",
    "replay",
    "dead-letters",
    "system",
    "serve",
    "config",
    "health",
    "asyncapi",
)
"""In the order of `--help`. Each is the `command` of the module of its name."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""


class Commands(Group):
    """The commands. A ProgressError becomes one line and exit status 1, Ctrl-C a quiet 130."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"worker.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def invoke(self, ctx: click.Context) -> None:
        """Run the command."""
        adapt(sys.stdout, sys.stderr)
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
@click.pass_context
def main(context: click.Context) -> None:
    """Exact course progress from lesson events.

    Run `demo` to see it work, or `up` for a system to try out. All other commands use the servers of DATABASE_URL and
    REDIS_URL or, if neither is set, those of the `up` that runs in this directory or above.
    """
    # Probes run every few seconds, and the API logs it.
    if context.invoked_subcommand not in {"health", "serve"}:
        _warn_of_unknown_variables()


def _warn_of_unknown_variables() -> None:
    if any(name.upper().startswith(("PROG", "DATAB", "REDI")) for name in os.environ):  # the import takes a while
        from worker.unknown_variables import unknown_variables

        for sentence in unknown_variables():
            click.echo(f"Warning: {sentence}", err=True)


if __name__ == "__main__":
    main()
