"""The directories of the embedded servers, and the JSON file by which other commands find a running `up`."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.errors import InputError
from worker.own_directory import check_own_directory

REMEDY = "set PROGRESS_EMBEDDED_DIRECTORY to another"


@dataclass(frozen=True)
class Servers:
    """Both running servers and the directory of their data and logs."""

    database_url: str
    redis_url: str
    directory: Path


def default_directory(name: str) -> Path:
    """Return a private directory that survives a restart, created if missing.

    Raises InputError if it belongs to another user.
    """
    directory = _base()
    for path in (directory, directory / name):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise InputError(
                f"{path} is not a directory of your own, so the servers cannot keep data there: remove it, or {REMEDY}."
            )
        if status.st_mode & 0o077:  # an earlier version gave others access
            path.chmod(0o700)
    return directory / name


@contextmanager
def publish_state(servers: Servers) -> Iterator[None]:
    """Let `running()` find `servers` in every process of this user during the block."""
    default_directory("up")
    content = {
        "database_url": servers.database_url,
        "redis_url": servers.redis_url,
        "directory": str(servers.directory),
        "pid": os.getpid(),
    }
    descriptor, temporary = tempfile.mkstemp(dir=_base(), prefix="up.")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    Path(temporary).replace(_state_file())
    try:
        yield
    finally:
        published = _read()
        if published is not None and published[1] == os.getpid():  # not in a forked child, nor after another `up`
            _state_file().unlink(missing_ok=True)


def running() -> Servers | None:
    """Return the servers of this user's running `up`; None if there is none or its file is unreadable."""
    published = _read()
    return published[0] if published is not None and _alive(published[1]) else None


def lasting_directory() -> Path:
    """Return a directory that any user may write to, one that survives a reboot if possible."""
    lasting = Path("/var/tmp")  # noqa: S108 - our directories in it are checked
    return lasting if os.access(lasting, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _base() -> Path:
    return lasting_directory() / f"progress-worker-{os.geteuid()}"


def _state_file() -> Path:
    return _base() / "up.json"


def _read() -> tuple[Servers, int] | None:
    """Return the published servers with their owner's pid; None if absent, corrupt or written by another user."""
    try:
        check_own_directory(_base(), REMEDY)
        with _state_file().open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            content = json.load(file)
        servers = Servers(str(content["database_url"]), str(content["redis_url"]), Path(content["directory"]))
        return servers, int(content["pid"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _alive(pid: int) -> bool:
    """Return whether this user has a process with this id."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True
