"""What Celery's processes print and log: `--loglevel` and `--logfile` take precedence over our settings."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

import click
from celery.utils.log import get_multiprocessing_logger
from celery.utils.nodenames import node_format
from click.core import ParameterSource

from worker.celery_support.broker_queue import BROKER_AWAY
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
        raise SystemExit(_unwritable("log file", logfile, error)) from None
    log_uncaught()
    # Celery's pool reports crashes there, and Celery gives it a handler only where nothing else configures logging.
    pool_logger: Any = get_multiprocessing_logger()
    pool_logger.propagate = True
    pool_logger.setLevel("ERROR")


def require_files(logfile: str | None, pidfile: str | None, node: str | None) -> None:
    """End the process with a sentence if it cannot write these files: a detached one would end without a word.

    `node`: the worker's name, which `%n` and the like stand for; None where Celery does not replace them.
    """
    what = path = ""
    try:
        if logfile:
            what, path = "log file", node_format(logfile, node) if node else logfile
            Path(path).open("a").close()
        if pidfile:
            what, path = "directory of the pidfile", str(Path(pidfile).parent)
            TemporaryFile(dir=path).close()
    except OSError as error:
        raise SystemExit(_unwritable(what, path, error)) from None


def _unwritable(what: str, path: str | None, error: OSError) -> str:
    return f"Error: Cannot write the {what} {path}: {error.strerror}."


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
    if isinstance(error, BROKER_AWAY):
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
