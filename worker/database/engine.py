"""Connections to PostgreSQL, and what its errors mean for a batch."""

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from worker.database import session, times
from worker.database.silence_timeout import PatientConnection, be_patient
from worker.errors import ConfigurationError
from worker.settings import Settings


def open_engine(settings: Settings, *, application_name: str = "progress-worker") -> Engine:
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


def open_async_engine(settings: Settings, *, application_name: str = "progress-worker api") -> AsyncEngine:
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


def limit_lock_waits(connection: Connection) -> None:
    """Have no statement of the present transaction wait longer than a second for a lock."""
    connection.execute(_WAIT_BRIEFLY)


_INTERPRET = text("SET LOCAL jit = off")


def without_jit(connection: Connection) -> None:
    """Have no statement of the present transaction compiled: of a very long one that takes longer than running it."""
    connection.execute(_INTERPRET)


def snapshot(engine: Engine) -> Connection:
    """A connection whose statements all see one moment, that of the first of them; to be closed."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")
