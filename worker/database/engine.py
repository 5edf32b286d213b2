"""Connections to PostgreSQL, and what its errors mean for a batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from worker.database import session, times
from worker.database.silence_timeout import PatientConnection, be_patient
from worker.errors import ConfigurationError, ProgressError, SchemaError, ServerUnavailableError, first_line
from worker.settings import Settings


def connect(settings: Settings, *, application_name: str = "progress-worker") -> Engine:
    """An engine that connects on first use. Timeouts hold for each of its connections, also when no server keeps them.

    Statements are planned each time (psycopg's `prepare_threshold` is off): a plan kept from when a table was empty
    would scan it whole once it is large (docs/decisions/0002).
    """
    engine = create_engine(
        _url(settings),
        isolation_level="READ COMMITTED",
        pool_size=1,
        max_overflow=4,
        pool_use_lifo=True,
        connect_args=_connect_args(settings, application_name),
    )
    be_patient(engine, settings.statement_timeout_seconds, settings.socket_timeout_seconds)
    session.pin(engine)
    times.hold(engine)
    return engine


def connect_async(settings: Settings, *, application_name: str = "progress-worker api") -> AsyncEngine:
    """The same for an event loop, with up to `api_connections` connections and a lock timeout of its own.

    Errors name no values: what PostgreSQL refused may be a learner's.
    """
    engine = create_async_engine(
        _url(settings),
        isolation_level="READ COMMITTED",
        pool_size=settings.api_connections,
        max_overflow=0,
        pool_timeout=settings.connect_timeout_seconds,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=_connect_args(
            settings.model_copy(update={"lock_timeout_seconds": settings.api_lock_timeout_seconds}), application_name
        ),
    )
    be_patient(engine.sync_engine, settings.statement_timeout_seconds, settings.socket_timeout_seconds)
    session.pin(engine.sync_engine)
    times.hold(engine.sync_engine)
    return engine


def _url(settings: Settings) -> URL:
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set. Set it to postgresql://user:password@host:port/name, "
            "or start `progress-worker up`."
        )
    return make_url(settings.database_url)


def _connect_args(settings: Settings, application_name: str) -> dict[str, object]:
    timeouts = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.statement_timeout_seconds,
    }
    options = [f"-c {name}={int(seconds * 1000)}" for name, seconds in timeouts.items()]
    options.append("-c synchronous_commit=on")  # whatever the role defaults to: an acknowledged entry is on disk
    return {
        "application_name": application_name,
        "connect_timeout": max(2, int(settings.connect_timeout_seconds)),
        "options": " ".join([*options, str(_url(settings).query.get("options", "")), *session.options()]),
        "client_encoding": session.ENCODING,
        "prepare_threshold": None,
        "keepalives_idle": min(max(1, int(settings.socket_timeout_seconds)), 32_767),  # Linux takes nothing else
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": int(settings.socket_timeout_seconds * 1000),
    }


_ALLOW = text("SELECT set_config('statement_timeout', :milliseconds, true)")


def extend_timeout(connection: Connection, seconds: float) -> None:
    """Let each statement of the present transaction take so long, on both sides."""
    connection.execute(_ALLOW, {"milliseconds": str(int(seconds * 1000))})
    if isinstance(driver := connection.connection.driver_connection, PatientConnection):
        driver.allowed_seconds = seconds


_WAIT_BRIEFLY = text("SET LOCAL lock_timeout = '1s'")


def wait_briefly(connection: Connection) -> None:
    """Have no statement of the present transaction wait longer than a second for a lock."""
    connection.execute(_WAIT_BRIEFLY)


_INTERPRET = text("SET LOCAL jit = off")


def without_jit(connection: Connection) -> None:
    """Have no statement of the present transaction compiled: of a very long one that takes longer than running it."""
    connection.execute(_INTERPRET)


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


def is_passing(error: Exception) -> bool:
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


def snapshot(engine: Engine) -> Connection:
    """A connection whose statements all see one moment, that of the first of them; to be closed."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


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
