"""The servers that a command works on, and readable errors when they are unavailable."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import click

from worker.cli.output import redacted
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.settings import Settings


def server_settings(*variables: Literal["DATABASE_URL", "REDIS_URL"]) -> "Settings":
    """Return the settings with the named servers, or both, from the environment or else from a running `up`.

    A single URL is not completed from `up`, which would mix two systems. Raises ConfigurationError; if an `up` runs
    elsewhere, with the lines to export for it, which have its passwords and are for a terminal alone.
    """
    from worker import running_up
    from worker.settings import get_settings

    settings = get_settings()
    try:
        return checked(settings.with_servers(*variables))
    except ConfigurationError as error:
        if settings.database_url or settings.redis_url:
            raise
        lines = [line for up in running_up.everywhere() for line in (f"\nTo use that of {up.started_in}:", *up.exports)]
        raise ConfigurationError("\n".join([str(error), *lines])) from None


def settings_to_change(*variables: Literal["DATABASE_URL", "REDIS_URL"]) -> "Settings":
    """Do as `server_settings`, and if the servers are those of a running `up`, say on standard error of which one."""
    from worker import running_up

    settings = server_settings(*variables)
    if up := running_up.in_use():
        click.echo(f"On the system of `progress-worker up` in {up.started_in}: {redacted(up.database_url)}", err=True)
    return settings


def given_settings() -> "Settings | None":
    """Return the settings for `demo` and `up` if the environment names both servers, None if neither.

    Raises ConfigurationError if it names only one.
    """
    from worker.settings import environment_settings

    settings = checked(environment_settings())
    if settings.database_url is None and settings.redis_url is None:
        return None
    return settings.with_servers()


def checked(settings: "Settings") -> "Settings":
    """Return the settings. Raises ConfigurationError for an unreadable URL, and for a wrong file of connections."""
    from worker.connections import read_connections

    for variable, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)):
        if url is not None and not _readable(url):
            raise ConfigurationError(
                f"{variable} is not a valid URL: {redacted(url)}. "
                "The port is a number up to 65535; in a password write @ : / [ as %40 %3A %2F %5B."
            )
    read_connections(settings.connections)
    return settings


def _readable(url: str) -> bool:
    """Return whether SQLAlchemy, redis-py and our own messages can parse it."""
    from redis.connection import parse_url
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if not a number or too large
        if "@" in parts.path:  # the rest of a password with a / in it
            return False
        if url.startswith("postgresql"):
            make_url(url)
        else:
            parse_url(url)  # type: ignore[no-untyped-call]
    except (ArgumentError, ValueError):
        return False
    return True


@contextmanager
def explained(settings: "Settings") -> Iterator[None]:
    """Turn both servers' errors into sentences."""
    from worker.database import failures
    from worker.streams import connection

    with failures.explained(settings), connection.explained(settings):
        yield


@contextmanager
def open_database(settings: "Settings") -> "Iterator[Engine]":
    """Open an engine for the block, after checking the tables; explain its errors."""
    from worker.database import failures, schema
    from worker.database.engine import open_engine

    engine = open_engine(settings)
    try:
        with failures.explained(settings):
            with engine.connect() as connection:
                schema.check(connection)
            yield engine
    finally:
        engine.dispose()
