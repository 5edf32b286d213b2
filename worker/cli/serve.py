"""`progress-worker serve`: the HTTP API until Ctrl-C."""

import gc
import socket

import click

from worker.errors import ConfigurationError, InputError

STOP_SECONDS = 10
"""Time for requests in progress to finish when the server stops."""


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_000, show_default=True, help="Port; 0 picks a free one."
)
@click.option("--root-path", default="", help="Path prefix under which a proxy serves the API, such as /progress.")
def command(host: str, port: int, root_path: str) -> None:
    """Serve the HTTP API, with documentation at /docs.

    Without tokens (PROGRESS_API_TOKENS or PROGRESS_API_TOKENS_DIRECTORY) it listens only on a loopback address.
    """
    from worker.cli.servers import server_settings

    settings = server_settings()
    try:
        import uvicorn

        from worker.api.app import create_app
        from worker.api.slow_clients import protocol
        from worker.api.tokens import load_tokens
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"The API needs {error.name}: pip install 'course-progress-worker[api]'.") from None
    from worker.logs import configure_logging, log_uncaught

    tokens = load_tokens(settings)
    listening = listen(host, port, anywhere=bool(tokens))
    configure_logging(settings.log_format, settings.log_level)
    log_uncaught()
    app = create_app(settings, tokens)
    config = uvicorn.Config(
        app,
        http=protocol(settings),
        root_path=root_path.rstrip("/"),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    address = f"http://{_bracketed(listening.getsockname()[0])}:{listening.getsockname()[1]}"
    click.echo(f"Listening on {address}, documentation at {address}/docs.", err=True)
    if not tokens:
        click.echo("No token is configured: only this host can connect, with full access.", err=True)
    # Exempt imported objects from full collections, which would pause all requests for 80 ms.
    gc.collect()
    gc.freeze()
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int, *, anywhere: bool) -> socket.socket:
    """Return a listening socket, only on loopback unless `anywhere`. Raises ConfigurationError and InputError."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if not anywhere:
            _require_loopback(host, str(address[0]))
        return socket.create_server((str(address[0]), port), family=family, backlog=1_024)
    except (OSError, UnicodeError) as error:  # the latter for an invalid host name
        reason = getattr(error, "strerror", None) or str(error)
        reason = reason.partition(" (")[0]  # Python adds the address again
        raise InputError(f"Cannot listen on {host!r}, port {port}: {reason}. Choose another.") from None


def _require_loopback(host: str, address: str) -> None:
    from worker.api.middleware import is_loopback

    if not is_loopback(address):
        raise ConfigurationError(
            f"{host} is reachable from other hosts, but no token is configured. Set PROGRESS_API_TOKENS or "
            "PROGRESS_API_TOKENS_DIRECTORY, or listen on 127.0.0.1."
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
