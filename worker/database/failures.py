"""What PostgreSQL's errors mean: for a batch, and for the person who reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from worker.errors import ProgressError, SchemaError, ServerUnavailableError, first_line
from worker.settings import Settings


class Failure(Enum):
    """What to do about an error from PostgreSQL."""

    DATA = auto()
    """Some event of the batch can never be stored: find it and set it aside."""
    TRANSIENT = auto()
    """The server is away or busy: wait and try again."""
    SCHEMA = auto()
    """The database is not ours to write: missing tables, missing rights, read-only. A person must act."""


_SCHEMA_STATES = ("42", "3D", "3F", "28", "0A", "25006")
# Connection, transaction state, rollback, resources, prerequisites, intervention, system, PostgreSQL's own defects.
_TRANSIENT_STATES = ("08", "25", "40", "53", "55", "57", "58", "XX")


def classify(error: Exception) -> Failure:
    """The meaning of an error, by its SQLSTATE (PostgreSQL manual, appendix A); without one it is the connection.

    What is neither the server's state nor its schema is the data's doing, a trigger of the LMS that raises included.
    """
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    if state.startswith(_SCHEMA_STATES):
        return Failure.SCHEMA
    return Failure.TRANSIENT if not state or state.startswith(_TRANSIENT_STATES) else Failure.DATA


def has_answered(error: Exception) -> bool:
    """PostgreSQL itself said no, so it is there and the next statement may do better."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) is not None


def is_transient(error: Exception) -> bool:
    """PostgreSQL is there and refused for now: a timeout, a lock, a deadlock. What was asked may go through later."""
    return has_answered(error) and classify(error) is Failure.TRANSIENT


def is_raised_by_a_trigger(error: Exception) -> bool:
    """Not PostgreSQL's own rules refused it but somebody's code: SQLSTATE class P0, or none that PostgreSQL has."""
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    return not state.startswith(("22", "23"))


def is_missing_reference(error: Exception) -> bool:
    """A foreign key found no row: what the LMS's tables must have first is not there yet."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == "23503"


def missing_reference(error: DBAPIError) -> str:
    """Which row the foreign key wants, in PostgreSQL's words."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(getattr(diagnosis, "message_detail", None) or first_line(error))


def is_lock_timeout(error: Exception) -> bool:
    """Somebody held a lock for longer than `lock_timeout`, or a wait for it would have been a deadlock."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in {"55P03", "40P01"}


def may_be_ones_own(error: Exception) -> bool:
    """PostgreSQL refused several rows, and the doing may be one's alone: its size, its data, a lock on it."""
    return has_answered(error) and classify(error) is not Failure.SCHEMA


_PEOPLE_CAN_MEND = ("28", "3D", "3F", "0A", "25006", "42501", "42P01", "42703", "42704")
"""Credentials, names, rights; tables, columns and types that a migration brings. Other 42s are our SQL's doing."""


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn what PostgreSQL or the way to it says into a sentence for a person. A defect of ours stays what it is."""
    try:
        yield
    except sqlalchemy_errors.TimeoutError as error:
        raise ServerUnavailableError(f"No connection to PostgreSQL is free: {first_line(error)}") from error
    except DBAPIError as error:
        told = _told(error, _where(settings))
        if told is None:
            raise
        raise told from error


def _told(error: DBAPIError, where: str) -> ProgressError | None:
    """What a person is told, None where only its author can do something about it."""
    what, state = first_line(error), getattr(error.orig, "sqlstate", None)
    if state is None:
        return _told_of_the_way(error, what, where)
    if state.startswith(_PEOPLE_CAN_MEND):
        return SchemaError(f"PostgreSQL refuses: {what}. Run `progress-worker migrate`, or check the role's rights.")
    if state.startswith("42"):
        return None
    if classify(error) is Failure.TRANSIENT:
        return ServerUnavailableError(f"PostgreSQL at {where} cannot do this now: {what}. Try again.")
    return ServerUnavailableError(f"PostgreSQL refuses: {what}.")


def _told_of_the_way(error: DBAPIError, what: str, where: str) -> ProgressError | None:
    """Libpq tells no SQLSTATE of a connection that the server refused, only its words."""
    if not isinstance(error.orig, psycopg.OperationalError):
        return None
    _, is_refused, reason = what.partition("FATAL:")
    if is_refused:
        return ServerUnavailableError(f"PostgreSQL at {where} refuses the connection: {reason.strip()}.")
    return ServerUnavailableError(f"PostgreSQL does not answer at {where}: {what}")


def _where(settings: Settings) -> str:
    url = make_url(settings.database_url or "postgresql://")
    return f"{url.host or 'local socket'}/{url.database or ''}"
