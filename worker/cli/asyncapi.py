"""`progress-worker asyncapi`."""

import click


@click.command("asyncapi")
def command() -> None:
    """Print the event contract as AsyncAPI 3.0 JSON.

    It names the default streams, not those of PROGRESS_STREAM_KEY.
    """
    import json

    from worker.contract.asyncapi import document
    from worker.settings import Settings

    defaults = (Settings.model_fields[name].default for name in ("stream_key", "stream_partitions"))
    click.echo(json.dumps(document(*defaults), indent=2, ensure_ascii=False).encode())
