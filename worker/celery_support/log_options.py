"""Celery's `--loglevel` and `--logfile`, which take precedence over our settings."""

import logging
from functools import cache
from typing import Any

import click
from celery.utils.log import get_multiprocessing_logger
from click.core import ParameterSource

from worker.logs import configure_logging
from worker.settings import get_settings


def configure(logfile: str | None, *, colors: bool) -> None:
    """Configure logging as the command line and the settings ask. Ends the process if the file cannot be written."""
    settings, given = get_settings(), _given_level()
    level = given or settings.log_level
    try:
        configure_logging(settings.log_format, level, logfile, colors=colors, chatty=given is not None)
    except OSError as error:
        raise SystemExit(f"Error: Cannot write the log file {logfile}: {error.strerror}.") from None
    # Celery's pool reports crashes there, and Celery gives it a handler only where nothing else configures logging.
    pool_logger: Any = get_multiprocessing_logger()
    pool_logger.propagate = True
    pool_logger.setLevel("ERROR")


@cache
def _given_level() -> str | None:
    """Return the level given on the command line or by Celery's own variable for it. Pool processes inherit it."""
    context = click.get_current_context(silent=True)
    if context is None or context.get_parameter_source("loglevel") in {None, ParameterSource.DEFAULT}:
        return None
    return str(logging.getLevelName(context.params["loglevel"]))
