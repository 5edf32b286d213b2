"""The servers of `up` and `demo`: given ones, or embedded ones during a block; migrated in both cases."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.migrate import migrate
from worker.cli.output import redacted

if TYPE_CHECKING:
    from worker.embedded.state import Servers
    from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """Settings with both URLs, a working directory for the processes, and the servers if they are embedded."""

    settings: "Settings"
    directory: Path
    servers: "Servers | None"

    def shown_urls(self) -> dict[str, str]:
        """Return both variables for the terminal, with passwords only of embedded servers."""
        urls = {"DATABASE_URL": str(self.settings.database_url), "REDIS_URL": str(self.settings.redis_url)}
        return urls if self.servers else {name: redacted(url) for name, url in urls.items()}


@contextmanager
def embedded_system(directory: Path) -> Iterator[System]:
    """Run embedded servers on the data in `directory` during the block."""
    from worker.embedded.start import start_servers
    from worker.settings import get_settings

    with start_servers(directory) as servers:
        urls = {"database_url": servers.database_url, "redis_url": servers.redis_url, "broker_url": None}
        settings = get_settings().model_copy(update=urls)
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
