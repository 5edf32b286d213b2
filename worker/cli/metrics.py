"""`progress-worker metrics`."""

import click


@click.command("metrics")
def command() -> None:
    """Print the status as Prometheus metrics.

    Uses the text exposition format. Prints all of them, or nothing with exit status 1 when a server is unavailable.
    """
    from worker.cli.status import read_servers
    from worker.ops.metrics import exposition

    click.echo(exposition(read_servers()), nl=False)
