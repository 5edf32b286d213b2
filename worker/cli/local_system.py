"""The servers of `up` and `demo`: given ones, or embedded ones during a block; migrated in both cases."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.migrate import migrate
from worker.cli.output import redacted
from worker.running_up import RunningUp

if TYPE_CHECKING:
    from worker.embedded.state import Servers
    from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """Settings with both URLs, a working directory for the processes, and the servers if they are embedded."""

    settings: "Settings"
    directory: Path
    servers: "Servers | None"

    @property
    def as_running_up(self) -> RunningUp | None:
        """What other processes of the working directory may find; None unless the servers are embedded."""
        if self.servers is None:
            return None
        return RunningUp(self.servers.database_url, self.servers.redis_url, self.servers.directory, Path.cwd())

    @property
    def shown_urls(self) -> list[str]:
        """Both variables for the terminal: lines for a shell, but given servers without their passwords."""
        if up := self.as_running_up:
            return up.exports
        database_url = str(self.settings.database_url).replace("+psycopg", "", 1)  # psql's form
        urls = {"DATABASE_URL": database_url, "REDIS_URL": str(self.settings.redis_url)}
        return [f"{name}={redacted(url)}" for name, url in urls.items()]

    def check(self) -> None:
        """Raise ServerUnavailableError when an embedded server has ended."""
        if self.servers:
            self.servers.check()


@contextmanager
def embedded_system(
    directory: Path, *, redis_port: int | None = None, postgresql_port: int | None = None, keep_ports: bool = False
) -> Iterator[System]:
    """Run embedded servers on the data in `directory` during the block; see `start_servers` for the ports."""
    from worker.embedded.start import start_servers
    from worker.settings import Settings

    ports = {"redis_port": redis_port, "postgresql_port": postgresql_port}
    with start_servers(directory, **ports, keep_ports=keep_ports) as servers:
        settings = Settings(database_url=servers.database_url, redis_url=servers.redis_url, broker_url=None)
        migrate(settings)
        with _without_broker():
            yield System(settings, servers.directory, servers)


def given_system(settings: "Settings", directory: Path) -> System:
    """Use the servers that the environment names."""
    migrate(settings)
    return System(settings, directory, None)


def processes() -> int:
    """Return the default number of pool processes: one per CPU, up to four."""
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


@contextmanager
def _without_broker() -> Iterator[None]:
    """Hide the broker that was set for other servers; our children use the embedded one."""
    broker = os.environ.pop("PROGRESS_BROKER_URL", None)
    try:
        yield
    finally:
        if broker is not None:
            os.environ["PROGRESS_BROKER_URL"] = broker
