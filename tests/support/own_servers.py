"""Servers of a test's own, to be killed, stopped and started again on the same data and the same addresses."""

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.server_data import server_data
from tests.support.wait import wait_until
from tests.support.worker_process import is_alive

with warnings.catch_warnings():  # about an unset XDG_RUNTIME_DIR, which nobody here uses
    warnings.simplefilter("ignore")
    from worker.embedded.postgresql import PostgreSQL
    from worker.embedded.valkey import Valkey


REDIS = shutil.which("redis-server")
"""Debian's, where it is installed; in Debian 12 that is Redis 7.0."""


class _Redis(Valkey):
    def _program(self) -> str:
        assert REDIS, "redis-server is not installed"
        return REDIS


class OwnServers:
    """A PostgreSQL and a Valkey (or a Redis), each started on first use."""

    def __init__(self, directory: Path, *, redis: bool = False) -> None:
        self._directory = directory
        self._kind = _Redis if redis else Valkey
        self._postgresql: PostgreSQL | None = None
        self._valkey: Valkey | None = None

    @property
    def database_url(self) -> str:
        """Of the running PostgreSQL."""
        if self._postgresql is None:
            self.start_postgresql()
        assert self._postgresql is not None
        return self._postgresql.url

    @property
    def redis_url(self) -> str:
        """Of the running Valkey."""
        if self._valkey is None:
            self.start_valkey(None)
        assert self._valkey is not None
        return self._valkey.url

    def start_postgresql(self) -> None:
        """Start it, again at the same place, recovery included, and wait until it answers."""
        self._postgresql = PostgreSQL(self._directory)
        self._postgresql.start()
        self._postgresql.wait()

    def stop_postgresql(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown. SIGQUIT: immediate, as after a crash: nothing is flushed, recovery follows."""
        assert self._postgresql is not None
        pid = self._postgresql._process.pid
        assert pid is not None
        os.kill(pid, how)
        self._postgresql._process.wait_stopped()
        assert not is_alive(pid)

    def deadlocks(self) -> int:
        """How many PostgreSQL wrote down since it was first started; a crash resets what it counts itself."""
        logs = self._directory.glob("postgresql*.log")
        return sum(log.read_text(errors="replace").count("deadlock detected") for log in logs)

    def postgresql_is_running(self) -> bool:
        """Its main process lives."""
        pid = self._postgresql._process.pid if self._postgresql is not None else None
        return pid is not None and is_alive(pid)

    def start_valkey(self, port: int | None = -1, **settings: str) -> None:
        """Start it, by default again on its port, its append-only file loaded; wait until it answers."""
        if port == -1:
            port = urlsplit(self.redis_url).port
        self._valkey = self._kind(self._directory, port)
        self._valkey._settings |= {name.replace("_", "-"): value for name, value in settings.items()}
        self._valkey.start()

    def kill_valkey(self) -> None:
        """SIGKILL."""
        pid = self._valkey_pid()
        os.kill(pid, signal.SIGKILL)
        assert self._valkey is not None
        self._valkey.wait_stopped()
        wait_until(lambda: not is_alive(pid), what="the end of Valkey")

    def copy_valkey(self) -> None:
        """Stop it, copy its data, and start it again."""
        self.kill_valkey()
        shutil.rmtree(self._directory / "valkey-copy", ignore_errors=True)
        shutil.copytree(self._directory / "valkey", self._directory / "valkey-copy")
        self.start_valkey()

    def put_valkey_back(self) -> None:
        """Stop it, and start it on the copy of its data."""
        self.kill_valkey()
        shutil.rmtree(self._directory / "valkey")
        shutil.copytree(self._directory / "valkey-copy", self._directory / "valkey")
        self.start_valkey()

    def valkey_is_running(self) -> bool:
        """Its process lives."""
        return is_alive(self._valkey_pid())

    def _valkey_pid(self) -> int:
        assert self._valkey is not None
        assert self._valkey._process.pid is not None
        return self._valkey._process.pid

    def close(self) -> None:
        """Stop what runs."""
        for server in (self._postgresql, self._valkey):
            if server is not None:
                server.ask_to_stop()
                server.wait_stopped()


@contextmanager
def own_servers(*, redis: bool = False, on_disk: bool = False) -> Iterator[OwnServers]:
    """Servers in a directory of their own, both gone at the end; `redis`: Debian's Redis in Valkey's place."""
    with server_data(on_disk=on_disk) as directory:
        servers = OwnServers(directory, redis=redis)
        try:
            yield servers
        finally:
            servers.close()
