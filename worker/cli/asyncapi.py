"""`progress-worker asyncapi`."""

import click


@click.command("asyncapi")
def command() -> None:
    """Print the event contract as an AsyncAPI 3.0 document in JSON."""
    import json

    from worker.contract.asyncapi import document

    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))
