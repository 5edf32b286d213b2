"""What Celery's processes print and log: `--loglevel` and `--logfile` take precedence over our settings."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any

import click
from celery.utils.log import get_multiprocessing_logger
from click.core import ParameterSource
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.errors import first_line
from worker.logs import configure_logging, get_logger, log_uncaught
from worker.settings import get_settings

log = get_logger(__name__)


def configure(logfile: str | None, *, colors: bool) -> None:
    """Configure logging as the command line and the settings ask. Ends the process if the file cannot be written."""
    settings, given = get_settings(), _given_level()
    level = given or settings.log_level
    try:
        configure_logging(settings.log_format, level, logfile, colors=colors, chatty=given is not None)
    except OSError as error:
        raise SystemExit(f"Error: Cannot write the log file {logfile}: {error.strerror}.") from None
    log_uncaught()
    # Celery's pool reports crashes there, and Celery gives it a handler only where nothing else configures logging.
    pool_logger: Any = get_multiprocessing_logger()
    pool_logger.propagate = True
    pool_logger.setLevel("ERROR")


@contextmanager
def refusal_logged() -> Iterator[None]:
    """Log a refused start as well if there is a log file: a detached process has no standard error."""
    try:
        yield
    except SystemExit as refusal:
        if any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers):
            log.critical("start_refused", detail=str(refusal))
        raise


def explain_lost_broker() -> None:
    """Let Celery's own commands, such as `purge`, end with a sentence if the broker is away."""
    context = click.get_current_context(silent=True)
    if context and getattr(context.find_root().command.callback, "__module__", None) == "celery.bin.celery":
        sys.excepthook = _explain


def _explain(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(error, OperationalError | RedisError):
        click.echo(f"Error: Cannot use Celery's broker: {first_line(error)}", err=True)
    else:
        sys.__excepthook__(kind, error, traceback)


@cache
def _given_level() -> str | None:
    """Return the level given on the command line or by Celery's own variable for it. Pool processes inherit it."""
    context = click.get_current_context(silent=True)
    if context is None or context.get_parameter_source("loglevel") in {None, ParameterSource.DEFAULT}:
        return None
    return str(logging.getLevelName(context.params["loglevel"]))
