"""Structured logs: one line per event, as JSON unless on a terminal."""

import logging
import os
import sys
import threading
from collections.abc import MutableMapping
from io import StringIO
from logging.handlers import WatchedFileHandler
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from worker.printable import printable

_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)

_PROCESSORS: list[Any] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]
"""One list for the process: a logger keeps that of its first use, and `structlog.testing.capture_logs` patches it."""

_WITHOUT_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Local variables hold credentials and learners' data."""

_CHATTY = ("celery.app.trace", "celery.beat", "celery.worker.request", "celery.worker.strategy", "alembic")
"""They log several lines per task message, ours one per batch: below WARNING only if asked for."""


def configure_logging(
    log_format: Literal["auto", "json", "console"],
    level: str,
    file: str | None = None,
    *,
    colors: bool = True,
    chatty: bool = False,
) -> None:
    """Send every logger of the process, including libraries', to one place in one format. Idempotent.

    The place is standard error or `file`, which may be moved away to rotate it. `colors` allows them on a terminal,
    `chatty` Celery's lines for each task message. Raises OSError if the file cannot be opened.
    """
    handler = WatchedFileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    on_terminal = not file and sys.stderr.isatty()
    as_json = log_format == "json" or (log_format == "auto" and not on_terminal)
    colors = colors and on_terminal and not os.environ.get("NO_COLOR")
    closing: list[Any] = (
        [structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS), structlog.processors.JSONRenderer()]
        if as_json
        else [_made_printable, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_printable_traceback)]
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *closing],
        )
    )
    root = logging.getLogger()
    for earlier in root.handlers:
        if isinstance(earlier, WatchedFileHandler):
            earlier.close()
    root.handlers[:] = [handler]
    root.setLevel(level)
    lowest = logging.INFO if chatty or level == "DEBUG" else logging.WARNING
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(lowest, root.level))
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def log_uncaught() -> None:
    """Log warnings and uncaught exceptions of this process too, for one that runs unattended. Idempotent."""
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        get_logger(__name__).critical("process_crashed", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if error := found.exc_value:
        thread = found.thread.name if found.thread else None
        get_logger(__name__).critical("thread_crashed", thread=thread, exc_info=error)


def _log_unraisable(found: "sys.UnraisableHookArgs") -> None:
    get_logger(__name__).error("exception_ignored", place=repr(found.object), exc_info=found.exc_value)


def _made_printable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make text safe for a terminal, as it may quote anything received. JSON escapes by itself."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}


def _printable_traceback(output: TextIO, exception: Any) -> None:
    whole = StringIO()
    structlog.dev.plain_traceback(whole, exception)
    output.write("\n".join(map(printable, whole.getvalue().split("\n"))))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; events are past-tense facts with named values: `log.info("batch_recorded", entries=7)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
