"""Connections to PostgreSQL and settings of their transactions."""

from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy import Engine as Engine  # noqa: PLC0414 - the type, for packages without SQLAlchemy
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from worker.database import failures, search_path, session, times
from worker.database.silence_timeout import SilenceTimeoutConnection, set_silence_timeout
from worker.settings import Settings


def open_engine(settings: Settings, *, application_name: str = "progress-worker") -> Engine:
    """Return an engine that connects on first use. Its timeouts also hold when the server no longer enforces them.

    Statements are planned each time (psycopg's `prepare_threshold` is off): a plan cached while a table was empty would
    scan it whole once it is large (docs/decisions/0002).
    """
    engine = create_engine(
        _url(settings),
        isolation_level="READ COMMITTED",
        pool_size=1,
        max_overflow=4,
        pool_use_lifo=True,
        connect_args=_connect_args(settings, application_name),
    )
    _prepare_connections(engine, settings)
    return engine


def open_async_engine(settings: Settings, *, application_name: str = "progress-worker api") -> AsyncEngine:
    """Return the same for an event loop, with up to `api_connections` connections and its own lock timeout.

    Error messages contain no parameters, which may be a learner's data.
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
    _prepare_connections(engine.sync_engine, settings)
    return engine


def _prepare_connections(engine: Engine, settings: Settings) -> None:
    set_silence_timeout(engine, settings.statement_timeout_seconds, settings.socket_timeout_seconds)
    session.pin_settings(engine)
    search_path.put_first(engine, settings.database_schema)
    failures.replace_refused_sessions(engine)
    times.clamp_times(engine)


def _url(settings: Settings) -> URL:
    return make_url(str(settings.with_servers("DATABASE_URL").database_url))


def _connect_args(settings: Settings, application_name: str) -> dict[str, object]:
    timeouts = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.statement_timeout_seconds,
    }
    options = [f"-c {name}={int(seconds * 1000)}" for name, seconds in timeouts.items()]
    options.append("-c synchronous_commit=on")  # an acknowledged entry is on disk, whatever the role's default
    return {
        "application_name": application_name,
        "connect_timeout": max(2, int(settings.connect_timeout_seconds)),
        "options": " ".join([*options, str(_url(settings).query.get("options", "")), *session.options()]),
        "client_encoding": session.ENCODING,
        "prepare_threshold": None,
        "keepalives_idle": min(max(1, int(settings.socket_timeout_seconds)), 32_767),  # Linux's maximum
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": int(settings.socket_timeout_seconds * 1000),
    }


_EXTEND_TIMEOUT = text("SELECT set_config('statement_timeout', :milliseconds, true)")


def extend_timeout(connection: Connection, seconds: float) -> None:
    """Set the statement timeout for the rest of the transaction, on the server and on the client."""
    connection.execute(_EXTEND_TIMEOUT, {"milliseconds": str(int(seconds * 1000))})
    if isinstance(driver := connection.connection.driver_connection, SilenceTimeoutConnection):
        driver.extended_seconds = seconds


_LIMIT_LOCK_WAITS = text("SET LOCAL lock_timeout = '1s'")


def limit_lock_waits(connection: Connection) -> None:
    """Let no statement wait longer than a second for a lock for the rest of the transaction."""
    connection.execute(_LIMIT_LOCK_WAITS)


_WITHOUT_JIT = text("SET LOCAL jit = off")


def without_jit(connection: Connection) -> None:
    """Turn off JIT for the rest of the transaction: compiling a very long statement takes longer than running it."""
    connection.execute(_WITHOUT_JIT)


def snapshot(engine: Engine) -> Connection:
    """Return a connection whose statements share one snapshot, that of the first one. The caller closes it."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")
