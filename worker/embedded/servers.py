"""Start and stop both servers together, one process at a time per directory."""

import atexit
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded.interruption import uninterrupted
from worker.embedded.ports import choose_port, keep_port
from worker.embedded.postgresql import PORT as POSTGRESQL_PORT
from worker.embedded.postgresql import PostgreSQL
from worker.embedded.state import Servers
from worker.embedded.valkey import PORT as VALKEY_PORT
from worker.embedded.valkey import Valkey
from worker.errors import InputError, ServerUnavailableError
from worker.own_directory import make_own_directory
from worker.running_up import REMEDY


@contextmanager
def run(directory: Path, redis_port: int | None, postgresql_port: int | None, *, keep_ports: bool) -> Iterator[Servers]:
    """Implement `worker.embedded.start.start_servers`."""
    owner = os.getpid()
    with _as_unavailable(directory):
        make_own_directory(directory, REMEDY)
    directory = directory.resolve()
    with _locked(directory):
        kept = {name: directory / f"{name}.port" for name in ("valkey", "postgresql")}
        if keep_ports:
            redis_port = choose_port(kept["valkey"], redis_port, VALKEY_PORT)
            postgresql_port = choose_port(kept["postgresql"], postgresql_port, POSTGRESQL_PORT)
        postgresql, valkey = PostgreSQL(directory, postgresql_port), Valkey(directory, redis_port)

        def stop() -> None:
            if os.getpid() != owner:
                return  # a forked child must not stop its parent's servers
            with uninterrupted():
                postgresql.ask_to_stop()
                valkey.ask_to_stop()
                postgresql.wait_stopped()
                valkey.wait_stopped()
            atexit.unregister(stop)

        def check() -> None:
            postgresql.check()
            valkey.check()

        atexit.register(stop)  # for blocks that never end, or are interrupted before `finally`
        try:
            with _as_unavailable(directory):
                postgresql.start()
                valkey.start()
                postgresql.wait()
            if redis_port and postgresql_port:
                keep_port(kept["valkey"], redis_port)
                keep_port(kept["postgresql"], postgresql_port)
            yield Servers(postgresql.url, valkey.url, directory, check)
        finally:
            stop()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock the directory for this process. The system releases the lock when the process dies."""
    owner = os.getpid()
    with _as_unavailable(directory):
        file = os.fdopen(os.open(directory / "lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"Embedded servers are already running in {directory}: stop them first.") from None
        try:
            yield
        finally:
            if os.getpid() == owner:
                fcntl.flock(file, fcntl.LOCK_UN)  # also for forked children, which share the lock


@contextmanager
def _as_unavailable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServerUnavailableError(f"The embedded servers cannot start in {directory}: {error}") from error
