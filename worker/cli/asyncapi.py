"""`progress-worker asyncapi`."""

import click


@click.command("asyncapi")
def command() -> None:
    """Print the event contract as AsyncAPI 3.0 JSON."""
    import json

    from worker.contract.asyncapi import document

    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))
