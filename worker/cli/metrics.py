"""`progress-worker metrics`."""

import click


@click.command("metrics")
def command() -> None:
    """Print the figures of `status` for Prometheus, in its text exposition format.

    All of them, or none and exit status 1 when a server is away: no file is ever half written.
    """
    from worker.cli.status import ask_servers
    from worker.ops.metrics import exposition

    click.echo(exposition(ask_servers()), nl=False)
