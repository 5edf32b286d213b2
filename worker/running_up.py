"""The running `progress-worker up`s of this user, which other processes find by files in a private directory.

An `up` belongs to the directory it was started in, and serves processes that run there or anywhere below, each of which
takes the nearest one. Imports nothing heavy: every process that publishes may look for one.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote

from worker.own_directory import check_own_directory, make_own_directory

REMEDY = "set PROGRESS_EMBEDDED_DIRECTORY to another"


@dataclass(frozen=True)
class RunningUp:
    """A running `up`: its servers' URLs, where they keep data and logs, and where it was started."""

    database_url: str
    redis_url: str
    directory: Path
    started_in: Path

    @property
    def exports(self) -> list[str]:
        """The lines for a shell that let any process use it."""
        return [f"export DATABASE_URL={quote(self.database_url)}", f"export REDIS_URL={quote(self.redis_url)}"]


def name_for(started_in: Path) -> str:
    """Return the name under which an `up` of this directory keeps its data and its state."""
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", started_in.name)[:20]
    return f"up-{readable}-{sha256(os.fsencode(started_in)).hexdigest()[:12]}"


@contextmanager
def publish(up: RunningUp) -> Iterator[RunningUp]:
    """Let other processes of this user find it during the block. Raises OSError."""
    make_own_directory(private_directory(), REMEDY)
    content = {name: str(value) for name, value in vars(up).items()} | {"pid": os.getpid()}
    descriptor, temporary = tempfile.mkstemp(dir=private_directory(), prefix="up.")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    state_file = _state_file(up.started_in)
    Path(temporary).replace(state_file)
    try:
        yield up
    finally:
        published = _read(state_file)
        if published is not None and published[1] == os.getpid():  # not in a forked child, nor after another `up`
            state_file.unlink(missing_ok=True)


def started_in(directory: Path) -> RunningUp | None:
    """Return the running `up` of exactly this directory; None if there is none or its file is unreadable."""
    return _running(_state_file(directory))


def nearest() -> RunningUp | None:
    """Return the running `up` of the working directory or of the nearest one above it."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # deleted meanwhile
        return None
    return next((up for folder in (here, *here.parents) if (up := started_in(folder))), None)


def everywhere() -> list[RunningUp]:
    """Return all running `up`s of this user."""
    return [up for file in sorted(private_directory().glob("up-*.json")) if (up := _running(file))]


def lasting_directory() -> Path:
    """Return a directory that any user may write to, one that survives a reboot if possible."""
    lasting = Path("/var/tmp")  # noqa: S108 - our directories in it are checked
    return lasting if os.access(lasting, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def private_directory() -> Path:
    """Return this user's directory for data and state, which may not exist yet."""
    return lasting_directory() / f"progress-worker-{os.geteuid()}"


def _state_file(started_in: Path) -> Path:
    return private_directory() / f"{name_for(started_in)}.json"


def _running(state_file: Path) -> RunningUp | None:
    published = _read(state_file)
    return published[0] if published is not None and _alive(published[1]) else None


def _read(state_file: Path) -> tuple[RunningUp, int] | None:
    """Return the published `up` with its pid; None if absent, corrupt or written by another user."""
    try:
        check_own_directory(state_file.parent, REMEDY)
        with state_file.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            content = json.load(file)
        urls = (str(content["database_url"]), str(content["redis_url"]))
        return RunningUp(*urls, Path(content["directory"]), Path(content["started_in"])), int(content["pid"])
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
