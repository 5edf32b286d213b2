"""Structured logs: one line per event, as JSON unless on a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from io import StringIO
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
"""They log several lines per task message; ours log one per batch."""


def configure_logging(log_format: Literal["auto", "json", "console"], level: str) -> None:
    """Send every logger of the process, including libraries', to standard error in one format. Idempotent."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    closing: list[Any] = (
        [structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS), structlog.processors.JSONRenderer()]
        if as_json
        else [_made_printable, structlog.dev.ConsoleRenderer(exception_formatter=_printable_traceback)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *closing],
        )
    )
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel("INFO" if level == "DEBUG" else "WARNING")
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


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
