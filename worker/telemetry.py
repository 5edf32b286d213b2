"""Structured logs: one line per happening, JSON unless a person watches the terminal."""

import logging
import sys
from typing import Any, Literal

import structlog

_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)

_WITHOUT_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Local variables hold credentials and learners' data."""

_CHATTY = ("celery.app.trace", "celery.beat", "celery.worker.request", "celery.worker.strategy", "alembic")
"""They say several lines for each task message; ours say one for each batch."""


def configure_logging(log_format: Literal["auto", "json", "console"], level: str) -> None:
    """Send every logger of the process, libraries included, to standard error in one form. Idempotent."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    closing: list[Any] = (
        [structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS), structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
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
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events are past-tense facts with named values: `log.info("batch_recorded", entries=7)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
