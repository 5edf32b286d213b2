"""What PostgreSQL's errors mean for a batch and for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from worker import connection_errors
from worker.errors import ProgressError, SchemaError, ServerUnavailableError, first_line
from worker.settings import Settings


class Failure(Enum):
    """What to do about an error from PostgreSQL."""

    DATA = auto()
    """Some event of the batch can never be stored: find it and dead-letter it."""
    TRANSIENT = auto()
    """The server is down or busy: wait and retry."""
    SCHEMA = auto()
    """The database cannot be written: missing tables, missing rights, read-only. An operator must act."""


_SCHEMA_STATES = ("42", "3D", "3F", "28", "0A", "25006")
# Connection, transaction state, rollback, resources, prerequisites, intervention, system, internal errors.
_TRANSIENT_STATES = ("08", "25", "40", "53", "55", "57", "58", "XX")


def classify(error: BaseException) -> Failure:
    """Return an error's meaning by its SQLSTATE (PostgreSQL manual, appendix A); without one it is the connection.

    Everything that is neither the server's state nor the schema is the data, including errors of an LMS's triggers.
    """
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    if state.startswith(_SCHEMA_STATES):
        return Failure.SCHEMA
    return Failure.TRANSIENT if not state or state.startswith(_TRANSIENT_STATES) else Failure.DATA


_STATES_OF_A_SESSION = {"25006", "3F000", "42P01"}
"""Read-only; no schema or table in sight: what defaults of a role or database can bring about."""


def replace_sessions(engine: Engine) -> None:
    """Close the pooled connections. Idempotent.

    A session keeps the defaults of its role and database (`ALTER ROLE … SET`), and the server it was opened on, however
    they change: only a new one sees that a database is writable again, that `search_path` names our tables or those of
    another system, or that a setting read by an LMS's trigger has changed.
    """
    engine.dispose()


def replace_refused_sessions(engine: Engine) -> None:
    """Have each error that may come from such a default do the same.

    The failed connection is invalid then, also in a savepoint: what its transaction did before is lost.
    """

    def discard(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in _STATES_OF_A_SESSION:
            context.is_disconnect = True

    event.listen(engine, "handle_error", discard)


def has_answered(error: BaseException) -> bool:
    """Return whether PostgreSQL itself refused, so that the connection still works."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) is not None


def is_transient(error: Exception) -> bool:
    """Return whether PostgreSQL refused for now (timeout, lock, deadlock) and a retry may succeed."""
    return has_answered(error) and classify(error) is Failure.TRANSIENT


def is_raised_by_a_trigger(error: Exception) -> bool:
    """Return whether a trigger's code refused, not PostgreSQL's own rules: SQLSTATE class P0, or an unknown one."""
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    return not state.startswith(("22", "23"))


def is_missing_reference(error: Exception) -> bool:
    """Return whether a foreign key found no row: the LMS has not inserted it yet."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == "23503"


def missing_reference(error: DBAPIError) -> str:
    """Return the row that the foreign key requires, in PostgreSQL's words."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(getattr(diagnosis, "message_detail", None) or first_line(error))


def is_lock_timeout(error: Exception) -> bool:
    """Return whether another session held a lock for longer than `lock_timeout`, or waiting would have deadlocked."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in {"55P03", "40P01"}


def may_be_caused_by_one(error: Exception) -> bool:
    """Return whether one of several rows may have caused the refusal: by its size, its data or a lock on it."""
    return has_answered(error) and classify(error) is not Failure.SCHEMA


_OPERATOR_STATES = ("28", "3D", "3F", "0A", "25006", "42501", "42P01", "42703", "42704")
"""Credentials, names, rights; tables, columns and types that a migration adds. Any other 42 is a bug in our SQL."""


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn errors of PostgreSQL and of the connection into sentences for people. Bugs propagate unchanged."""
    try:
        yield
    except sqlalchemy_errors.TimeoutError as error:
        raise ServerUnavailableError(f"No connection to PostgreSQL is free: {first_line(error)}") from error
    except DBAPIError as error:
        explanation = _explanation(error, settings)
        if explanation is None:
            raise
        raise explanation from error


def describe(error: Exception, settings: Settings) -> str:
    """Return an error's reason in one line for the log."""
    if isinstance(error, DBAPIError) and not has_answered(error):
        return str(_connection_explanation(error, settings) or first_line(error))
    return first_line(error)


def is_refused(error: Exception, settings: Settings) -> bool:
    """Return whether PostgreSQL will not let us in until an operator acts."""
    return not has_answered(error) and _refusal(error, settings) is not None


def _explanation(error: DBAPIError, settings: Settings) -> ProgressError | None:
    """Return a sentence for people, None for a bug."""
    what, state = first_line(error), getattr(error.orig, "sqlstate", None)
    if state is None:
        return _connection_explanation(error, settings)
    if state.startswith(_OPERATOR_STATES):
        return SchemaError(f"PostgreSQL refuses: {what}. Run `progress-worker migrate`, or check the role's rights.")
    if state.startswith("42"):
        return None
    if classify(error) is Failure.TRANSIENT:
        where = connection_errors.postgresql_place(settings.database_url or "")
        return ServerUnavailableError(f"PostgreSQL at {where} cannot do this now: {what}. Try again.")
    return ServerUnavailableError(f"PostgreSQL refuses: {what}.")


def _connection_explanation(error: DBAPIError, settings: Settings) -> ProgressError | None:
    """Explain a failed connection, for which libpq gives only a message and no SQLSTATE."""
    if not isinstance(error.orig, psycopg.OperationalError):
        return None
    return ServerUnavailableError(connection_errors.postgresql_problem(str(error.orig), settings.database_url or ""))


def _refusal(error: Exception, settings: Settings) -> str | None:
    message = str(getattr(error, "orig", error))
    return connection_errors.postgresql_refusal(message, settings.database_url or "")


def is_database_error(error: Exception) -> bool:
    """Return whether the error came from PostgreSQL or the way to it."""
    return isinstance(error, sqlalchemy_errors.SQLAlchemyError)
