"""Both running servers, and the private directories for their data."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from worker import running_up
from worker.errors import InputError


def _nothing() -> None:
    """Of servers that are not ours to watch."""


@dataclass(frozen=True)
class Servers:
    """Both servers and the directory of their data and logs."""

    database_url: str
    redis_url: str
    directory: Path
    check: Callable[[], None] = field(default=_nothing, compare=False)
    """Raises ServerUnavailableError with the end of its log when one of them has ended."""


def default_directory(name: str) -> Path:
    """Return a private directory that survives a restart, created if missing.

    Raises InputError if it belongs to another user.
    """
    directory = running_up.private_directory()
    for path in (directory, directory / name):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise InputError(
                f"{path} is not a directory of your own, so the servers cannot keep data there: "
                f"remove it, or {running_up.REMEDY}."
            )
        if status.st_mode & 0o077:  # an earlier version gave others access
            path.chmod(0o700)
    return directory / name
