"""Where the embedded servers live, and how other commands find those of a running `up`: one small JSON file."""

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

OTHERWISE = "set PROGRESS_EMBEDDED_DIRECTORY to another"


@dataclass(frozen=True)
class Servers:
    """The two running servers and the directory of their data and logs."""

    database_url: str
    redis_url: str
    directory: Path


def default_directory(name: str) -> Path:
    """A private directory that outlives a restart, made if missing.

    Raises InputError when what stands there belongs to someone else.
    """
    directory = _base()
    for path in (directory, directory / name):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise InputError(
                f"{path} is not a directory of your own, so the servers do not put their data there: "
                f"remove it, or {OTHERWISE}."
            )
        if status.st_mode & 0o077:  # an earlier version let others pass through
            path.chmod(0o700)
    return directory / name


@contextmanager
def publish_state(servers: Servers) -> Iterator[None]:
    """Lets every process of this user find `servers` through `running()` while the block runs."""
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
        if published is not None and published[1] == os.getpid():  # neither a forked child nor another `up`
            _state_file().unlink(missing_ok=True)


def running() -> Servers | None:
    """The servers of this user's running `up`; None without one, or when its file is unreadable. Changes nothing."""
    published = _read()
    return published[0] if published is not None and _alive(published[1]) else None


def lasting_directory() -> Path:
    """Where any user may make a directory that outlives a restart of the machine, where there is such a place."""
    lasting = Path("/var/tmp")  # noqa: S108 - our directories in it are checked
    return lasting if os.access(lasting, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _base() -> Path:
    return lasting_directory() / f"progress-worker-{os.geteuid()}"


def _state_file() -> Path:
    return _base() / "up.json"


def _read() -> tuple[Servers, int] | None:
    """The published servers with their owner's pid; None if absent, corrupt or written by another user."""
    try:
        check_own_directory(_base(), OTHERWISE)
        with _state_file().open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            content = json.load(file)
        servers = Servers(str(content["database_url"]), str(content["redis_url"]), Path(content["directory"]))
        return servers, int(content["pid"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _alive(pid: int) -> bool:
    """Whether a process of this user has this id."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True
