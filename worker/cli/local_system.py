"""The servers under `up` and `demo`: given ones, or embedded ones for the length of a block; migrated either way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.migrate import migrate
from worker.cli.output import redacted

if TYPE_CHECKING:
    from worker.embedded import Servers
    from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """Settings with both URLs, a directory for what processes leave behind, and the servers if they are our own."""

    settings: "Settings"
    directory: Path
    servers: "Servers | None"

    def shown_urls(self) -> dict[str, str]:
        """Both variables for the terminal; passwords are those of our own servers only, which are to be used."""
        urls = {"DATABASE_URL": str(self.settings.database_url), "REDIS_URL": str(self.settings.redis_url)}
        return urls if self.servers else {name: redacted(url) for name, url in urls.items()}


@contextmanager
def embedded_system(directory: Path) -> Iterator[System]:
    """Servers of our own on the data in `directory` while the block runs."""
    from worker.embedded import start_servers
    from worker.settings import get_settings

    with start_servers(directory) as servers:
        urls = {"database_url": servers.database_url, "redis_url": servers.redis_url, "broker_url": None}
        settings = get_settings().model_copy(update=urls)
        migrate(settings)
        with _without_broker():
            yield System(settings, servers.directory, servers)


def given_system(settings: "Settings", directory: Path) -> System:
    """The servers that the environment names."""
    migrate(settings)
    return System(settings, directory, None)


def processes() -> int:
    """Pool processes by default: one for each CPU, four at most."""
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


@contextmanager
def _without_broker() -> Iterator[None]:
    """Another broker was set for other servers; our children use the embedded one."""
    broker = os.environ.pop("PROGRESS_BROKER_URL", None)
    try:
        yield
    finally:
        if broker is not None:
            os.environ["PROGRESS_BROKER_URL"] = broker
